#include "dnn/functions/math/prod.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/gradient_check.hpp"

using namespace dnn;

TEST_CASE("prod multiplies over axes", "[prod]") {
  const Array x = array({{1, 2, 3}, {4, 5, 6}});
  CHECK(prod(x).item() == 720);
  CHECK(prod(x).dtype() == int64);
  CHECK(array_equal(prod(x, 0).array(), array<std::int64_t>({4, 10, 18})));
  CHECK(array_equal(prod(x.to(float32), -1, true).array(), array({{6.f}, {120.f}})));
  CHECK(array_equal(prod(zeros({2, 0}), 1).array(), ones({2})));
  CHECK(prod(full({70000}, 1.0001, float64)).item() == Approx(std::pow(1.0001, 70000)));
  CHECK_THROWS_AS(prod(x, 2), IndexError);
  CHECK_THROWS_AS(prod(x, {0, -2}), ArgumentError);
}

TEST_CASE("the gradient of prod is the product of the others, whatever is 0", "[prod]") {
  const Variable x(array({{2.0, 0.0, 3.0}, {0.0, 0.0, 5.0}, {2.0, 3.0, 4.0}}));
  const Variables g = grad({prod(x, 1)}, {x}, {.grad_outputs = {Variable(ones({3}, float64))}});
  CHECK(array_equal(g[0].array(), array({{0.0, 6.0, 0.0}, {0.0, 0.0, 0.0}, {12.0, 8.0, 6.0}})));
  const auto normal = [](const Shape& shape) { return random::normal(shape, 0, 1, float64); };
  for (const Axes& axes : {Axes(), Axes(1), Axes{0, 2}}) {
    const auto op = [&](const Variable& v) { return prod(v, axes); };
    const Array v = normal({2, 3, 2});
    const Shape out = op(v).shape();
    testing::check_backward(op, {v}, {normal(out)});
    testing::check_double_backward(op, {v}, {normal(out)}, {normal(v.shape())});
  }
  const Variable none(zeros({2, 0}));
  CHECK(grad({prod(none, 1)}, {none})[0].shape() == Shape{2, 0});
}
