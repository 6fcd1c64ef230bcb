#include "dnn/functions/math/clip.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("clip: values, gradients, special values", "[clip]") {
  testing::run({.name = "clip",
                .op = [](const Variable& x) { return clip(x, -0.5, 1); },
                .reference = [](double x) { return x < -0.5 ? -0.5
                                                   : x > 1  ? 1
                                                            : x; },
                .kinks = {-0.5, 1}});
}

TEST_CASE("clip: bounds are optional, and the gradient passes at them", "[clip]") {
  const Variable x(array({-3.0, -1.0, 0.0, 2.0, 3.0}));
  CHECK(array_equal(clip(x, std::nullopt, 2).array(), array({-3.0, -1.0, 0.0, 2.0, 2.0})));
  CHECK(array_equal(clip(x, -1, std::nullopt).array(), array({-1.0, -1.0, 0.0, 2.0, 3.0})));
  CHECK(array_equal(grad({clip(x, -1, 2)}, {x})[0].array(), array({0.0, 1.0, 1.0, 1.0, 0.0})));
  CHECK_THROWS_WITH(clip(x, 2, 1), Catch::Matchers::ContainsSubstring("[clip] lower <= upper does not hold: 2 > 1"));
}
