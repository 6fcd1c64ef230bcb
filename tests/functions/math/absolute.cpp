#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/absolute.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("absolute: values, gradients, second gradients, special values", "[absolute]") {
  testing::run({.name = "absolute",
                .op = [](const Variable& x) { return absolute(x); },
                .reference = [](double x) { return std::abs(x); },
                .kinks = {0}});
}

TEST_CASE("absolute has gradient 0 at 0", "[absolute]") {
  const Variable x(array({0.0, -0.0, -2.0, 3.0}));
  grad({abs(x)}, {x});
  const Variables g = grad({abs(x)}, {x});
  CHECK(array_equal(g[0].array(), array({0.0, 0.0, -1.0, 1.0})));
}
