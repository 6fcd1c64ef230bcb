#include "dnn/functions/loss/squared_error.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("squared_error: values and gradients", "[squared_error]") {
  testing::run({.name = "squared_error",
                .op = [](const Variable& a, const Variable& b) { return squared_error(a, b); },
                .reference = [](double a, double b) { return (a - b) * (a - b); },
                .arity = 2,
                .shapes = {{{}, {}}, {{7, 3}, {7, 3}}, {{0, 2}, {0, 2}}, {{2, 3, 1, 2}, {2, 3, 1, 2}}}});
}

TEST_CASE("squared_error does not broadcast", "[squared_error]") {
  CHECK_THROWS_AS(squared_error(zeros({3, 1}), zeros({3})), ArgumentError);
  CHECK_THROWS_AS(squared_error(zeros({3}), zeros({3}, float64)), DTypeError);
}
