#include "dnn/core/expect.hpp"

#include "catch.hpp"
#include "dnn/core/shape.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a failed expectation says op, expression and both values", "[core]") {
  const int a = 784, b = 100;
  CHECK_THROWS_WITH([&] { DNN_EXPECT("linear", a == b); }(), "[linear] a == b does not hold: 784 != 100");
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", a < b + 1); }(), "[op] a < b + 1 does not hold: 784 >= 101");
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", a <= b); }(), "[op] a <= b does not hold: 784 > 100");
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", b > a); }(), ContainsSubstring("100 <= 784"));
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", b >= a); }(), ContainsSubstring("100 < 784"));
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", a != 784); }(), ContainsSubstring("784 == 784"));
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", (Shape{2, 3} == Shape{3})); }(), ContainsSubstring("does not hold"));
  const Shape s{2, 3}, t{3};
  CHECK_THROWS_WITH([&] { DNN_EXPECT("op", s == t); }(), ContainsSubstring("(2, 3) != (3,)"));
  CHECK_THROWS_AS([&] { DNN_EXPECT("op", false); }(), ArgumentError);
  CHECK_NOTHROW([&] { DNN_EXPECT("op", a == 784); }());
  CHECK_NOTHROW([&] { DNN_EXPECT("op", (a == 784 && b == 100)); }());
}

TEST_CASE("the operands of an expectation that holds are evaluated once", "[core]") {
  int calls = 0;
  const auto next = [&] { return ++calls; };
  DNN_EXPECT("op", next() == 1);
  CHECK(calls == 1);
}
