#include "dnn/functions/math/linear_interpolate.hpp"
#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("linear_interpolate: values, gradients, broadcasting", "[linear_interpolate]") {
  testing::run(
      {.name = "linear_interpolate",
       .op = [](const Variable& p, const Variable& a, const Variable& b) { return linear_interpolate(p, a, b); },
       .reference = [](double p, double a, double b) { return p * a + (1 - p) * b; },
       .arity = 3,
       .specials = {0, 1, -2}});
}
