#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/sqrt.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("sqrt: values, gradients, second gradients, special values", "[sqrt]") {
  testing::run({.name = "sqrt",
                .op = [](const Variable& x) { return sqrt(x); },
                .reference = [](double x) { return std::sqrt(x); },
                .low = 0.2});
}
