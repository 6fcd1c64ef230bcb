#include "dnn/functions/activation/relu.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("relu: values, gradients, second gradients, special values", "[relu]") {
  testing::run({.name = "relu",
                .op = [](const Variable& x) { return relu(x); },
                .reference = [](double x) { return x > 0    ? x
                                                   : x != x ? x
                                                            : 0; },
                .kinks = {0}});
}

TEST_CASE("relu has gradient 0 at 0", "[relu]") {
  const Variable x(array({0.0, -0.0, 1e-300}));
  CHECK(array_equal(grad({relu(x)}, {x})[0].array(), array({0.0, 0.0, 1.0})));
}
