#include "dnn/functions/activation/leaky_relu.hpp"
#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("leaky_relu: values, gradients, second gradients, special values", "[leaky_relu]") {
  testing::run({.name = "leaky_relu",
                .op = [](const Variable& x) { return leaky_relu(x); },
                .reference = [](double x) { return x >= 0 ? x : 0.2 * x; },
                .kinks = {0}});
}

TEST_CASE("leaky_relu with a slope of its own", "[leaky_relu]") {
  testing::run({.name = "leaky_relu -0.5",
                .op = [](const Variable& x) { return leaky_relu(x, -0.5); },
                .reference = [](double x) { return x >= 0 ? x : -0.5 * x; },
                .kinks = {0}});
}
