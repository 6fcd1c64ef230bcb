#include <cmath>

#include "catch.hpp"
#include "dnn/functions/activation/hard_sigmoid.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("hard_sigmoid: values, gradients, second gradients, special values", "[hard_sigmoid]") {
  testing::run({.name = "hard_sigmoid",
                .op = [](const Variable& x) { return hard_sigmoid(x); },
                .reference = [](double x) { return x != x ? x : std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); },
                .low = -4,
                .high = 4,
                .kinks = {-2.5, 2.5}});
}
