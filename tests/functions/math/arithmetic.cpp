#include "dnn/functions/math/arithmetic.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/functions/array/cast.hpp"

using namespace dnn;

TEST_CASE("integers are not divided, by an array or by a number", "[arithmetic]") {
  const Array x = array<std::int64_t>({4, 6});
  CHECK_THROWS_AS(Variable(x) / Variable(x), DTypeError);
  CHECK_THROWS_AS(Variable(x) / 2, DTypeError);
  CHECK_THROWS_AS(Variable{} / 2, ArgumentError);
  CHECK((Variable(x) * 2).array().to("cpu").at<std::int64_t>(1) == 12);
}

TEST_CASE("integers take whole numbers only", "[arithmetic]") {
  const Variable x = array({1, 2});
  CHECK(array_equal((3 - x * 2.0 + 1).array(), array({2, 0})));
  CHECK_THROWS_WITH(x * 0.5, Catch::Matchers::ContainsSubstring("0.5 is no int32"));
  CHECK_THROWS_AS(x + 1e30, DTypeError);
  CHECK_THROWS_AS(0.0 / 0.0 - x, DTypeError);
  CHECK(array_equal((cast(x, float32) * 0.5).array(), array({0.5f, 1.f})));
}

namespace {
template <class V, class Y>
concept AddsTo = requires(V& x, const Y& y) {
  x += y;
};
}

TEST_CASE("x += y names another variable", "[arithmetic]") {
  const Variable leaf(array({1.f, 2.f}));
  Variable x = leaf;
  x += leaf;
  x -= array({1.f, 1.f});
  x *= leaf;
  x /= 2;
  CHECK(array_equal(x.array(), array({0.5f, 3.f})));
  CHECK(array_equal(leaf.array(), array({1.f, 2.f})));
  x.set_grad(ones({2}));
  x.backward();
  CHECK(array_equal(leaf.grad(), array({1.5f, 3.5f})));  // of (2 x - 1) x / 2
  STATIC_REQUIRE(AddsTo<Variable, Parameter>);
  STATIC_REQUIRE_FALSE(AddsTo<Parameter, Variable>);
}
