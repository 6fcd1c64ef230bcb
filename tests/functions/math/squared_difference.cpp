#include "dnn/functions/math/squared_difference.hpp"
#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("squared_difference: values, gradients, broadcasting, special values", "[squared_difference]") {
  testing::run({.name = "squared_difference",
                .op = [](const Variable& a, const Variable& b) { return squared_difference(a, b); },
                .reference = [](double a, double b) { return (a - b) * (a - b); },
                .arity = 2});
}
