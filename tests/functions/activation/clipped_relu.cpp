#include "dnn/functions/activation/clipped_relu.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("clipped_relu: values, gradients, second gradients, special values", "[clipped_relu]") {
  testing::run({.name = "clipped_relu",
                .op = [](const Variable& x) { return clipped_relu(x); },
                .reference = [](double x) { return x != x   ? x
                                                   : x > 20 ? 20
                                                   : x > 0  ? x
                                                            : 0; },
                .low = -3,
                .high = 24,
                .kinks = {0, 20}});
}

TEST_CASE("relu6 stops at 6, where its gradient is 0", "[clipped_relu]") {
  const Variable x(array({-1.f, 0.f, 3.f, 6.f, 7.f}));
  CHECK(array_equal(relu6(x).array(), array({0.f, 0.f, 3.f, 6.f, 6.f})));
  CHECK(array_equal(grad({relu6(x)}, {x})[0].array(), array({0.f, 0.f, 1.f, 0.f, 0.f})));
}
