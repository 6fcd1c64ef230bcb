#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/power.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("pow of two variables: values, gradients, broadcasting", "[power]") {
  testing::run({.name = "pow",
                .op = [](const Variable& a, const Variable& b) { return pow(a, b); },
                .reference = [](double a, double b) { return std::pow(a, b); },
                .arity = 2,
                .low = 0.2});
}

TEST_CASE("pow with a number: values, gradients, special values", "[power]") {
  for (const double c : {2.0, 3.0, -1.0, 0.5, 0.0, 1.0, -1.5}) {
    testing::run({.name = concat("pow(x, ", c, ")"),
                  .op = [c](const Variable& x) { return pow(x, c); },
                  .reference = [c](double x) { return c == 0.5 ? std::sqrt(x) : std::pow(x, c); },
                  .low = 0.2});
  }
  testing::run({.name = "pow(2.5, x)",
                .op = [](const Variable& x) { return pow(2.5, x); },
                .reference = [](double x) { return std::pow(2.5, x); }});
}

TEST_CASE("pow: gradients at 0", "[power]") {
  const Variable zero(array({0.0, 0.0, 0.0})), e(array({2.0, 1.0, 0.5}));
  CHECK(array_equal(grad({pow(zero, 2)}, {zero})[0].array(), array({0.0, 0.0, 0.0})));
  CHECK(array_equal(grad({pow(zero, 1)}, {zero})[0].array(), array({1.0, 1.0, 1.0})));
  CHECK(array_equal(grad({pow(zero, 0)}, {zero})[0].array(), array({0.0, 0.0, 0.0})));
  CHECK(array_equal(grad({pow(zero, e)}, {e})[0].array(), array({0.0, 0.0, 0.0})));
}

TEST_CASE("pow(x, 2) is x * x to the last bit", "[power]") {
  const Array x = random::uniform({1001}, -3, 3);
  CHECK(array_equal(pow(x, 2).array(), (Variable(x) * x).array()));
}
