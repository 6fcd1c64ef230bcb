#include <cmath>

#include "catch.hpp"
#include "dnn/functions/activation/sigmoid.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("sigmoid: values, gradients, second gradients, special values", "[sigmoid]") {
  testing::run({.name = "sigmoid",
                .op = [](const Variable& x) { return sigmoid(x); },
                .reference = [](double x) { return 1 / (1 + std::exp(-x)); },
                // The form through tanh gives 0 for what is below the precision of 1.,
                .specials = {0, 1, -1, 20, 100, 1e30, -1e30, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0}});
}
