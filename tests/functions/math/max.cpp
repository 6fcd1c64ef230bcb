#include <cmath>
#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/max.hpp"
#include "dnn/functions/math/min.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("max and min over axes", "[max][min]") {
  const Variable x(array({{3.f, -1.f, 2.f}, {0.f, 5.f, -7.f}}));
  CHECK(max(x).item() == 5);
  CHECK(min(x).item() == -7);
  CHECK(array_equal(max(x, 0).array(), array({3.f, 5.f, 2.f})));
  CHECK(array_equal(max(x, -1, true).array(), array({{3.f}, {5.f}})));
  CHECK(array_equal(min(x, 1).array(), array({-1.f, -7.f})));
  CHECK(array_equal(max(array({{1, 9}, {4, 2}}), 1).array(), array({9, 4})));
  const auto f = [](const Variable& v) { return max(v, {0, 2}); };
  const Array y = random::normal({3, 4, 5}, 0, 1, float64);
  testing::check_backward(f, {y}, {random::normal({4}, 0, 1, float64)});
  testing::check_double_backward(f, {y}, {random::normal({4}, 0, 1, float64)},
                                 {random::normal({3, 4, 5}, 0, 1, float64)});
}

TEST_CASE("max: every tied element gets the full gradient", "[max]") {
  const Variable x(array({{2.f, 2.f, 1.f}, {0.f, 0.f, 0.f}}));
  CHECK(array_equal(grad({max(x, 1)}, {x})[0].array(), array({{1.f, 1.f, 0.f}, {1.f, 1.f, 1.f}})));
  CHECK(array_equal(grad({min(x, 1)}, {x})[0].array(), array({{0.f, 0.f, 1.f}, {1.f, 1.f, 1.f}})));
}

TEST_CASE("max: infinities, NaN, and nothing", "[max][min]") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  CHECK(max(array({-inf, -inf})).item() == -inf);
  CHECK(min(full({40}, inf)).item() == inf);
  std::vector<float> values(100);
  values[57] = std::numeric_limits<float>::quiet_NaN();
  const Array x = array_from(values);
  CHECK(std::isnan(max(x).item()));
  CHECK(std::isnan(min(x).item()));
  CHECK_THROWS_AS(max(zeros({0})), ArgumentError);
  CHECK_THROWS_AS(min(zeros({2, 0}), 1), ArgumentError);
  CHECK(max(zeros({2, 0}), 0).shape() == Shape{0});
  CHECK(max(full({}, 3.f)).item() == 3);
}
