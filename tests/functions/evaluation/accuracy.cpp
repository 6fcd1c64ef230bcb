#include "dnn/functions/evaluation/accuracy.hpp"

#include <cmath>

#include "catch.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("accuracy is the share of right maxima", "[accuracy]") {
  const Array y = array({{1.f, 3.f, 2.f}, {5.f, 0.f, 1.f}, {0.f, 1.f, 2.f}, {2.f, 2.f, 0.f}});
  CHECK(accuracy(y, array({1, 0, 1, 0})).item() == 0.75);
  CHECK(accuracy(y, array({1, 0, 2, 1})).item() == 0.75);  // the first of equal scores counts
  CHECK(accuracy(y, array({1, -1, 1, 0})).item() == 0.5);
  CHECK(accuracy(y, array({1, -1, 1, 0}), -1).item() == Approx(2.0 / 3));
  CHECK(accuracy(y, full({4}, -1, int64), -1).item() == 0);
  CHECK(std::isnan(accuracy(zeros({0, 3}), zeros({0}, int32)).item()));
  CHECK(accuracy(y.to(float64), array({1, 0, 1, 0})).dtype() == float64);
  CHECK(accuracy(y.to(DType::float16), array({1, 0, 1, 0})).item() == 0.75);
  CHECK(!accuracy(Variable(y), array({1, 0, 1, 0})).requires_grad());
}

TEST_CASE("accuracy of positions, and of scores with trailing axes of length 1", "[accuracy]") {
  const Array y = array({{{1.f, 0.f}, {2.f, -1.f}}, {{0.f, 1.f}, {0.f, 2.f}}});
  CHECK(accuracy(y, array({{1, 0}, {0, 0}})).item() == 0.75);
  CHECK(accuracy(array({{1.f, 3.f}, {5.f, 0.f}}).reshape({2, 2, 1, 1}), array({1, 1})).item() == 0.5);
}

TEST_CASE("accuracy: a NaN is the highest score", "[accuracy]") {
  CHECK(accuracy(array({{1.f, std::nanf(""), 9.f}}), array({1})).item() == 1);
}

TEST_CASE("accuracy says what does not fit", "[accuracy]") {
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  CHECK_THROWS_WITH(accuracy(zeros({2, 3}), array({0, 3})),
                    ContainsSubstring("[accuracy] label 3 at index 1 is out of range for 3 classes"));
  CHECK_THROWS_AS(accuracy(zeros({2, 3}), array({0})), ArgumentError);
  CHECK_THROWS_AS(accuracy(Variable{}, array({0})), ArgumentError);
  CHECK_THROWS_AS(accuracy(zeros({2, 3}), Array{}), ArgumentError);
  CHECK_THROWS_AS(accuracy(zeros({2, 3}), array({{0, 1}})), ArgumentError);
  CHECK_THROWS_AS(accuracy(zeros({2, 0}), array({0, 0})), ArgumentError);
  CHECK_THROWS_AS(accuracy(zeros({2, 3}), zeros({2})), DTypeError);
}
