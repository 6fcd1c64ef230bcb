#include <cmath>

#include "catch.hpp"
#include "dnn/functions/activation/softplus.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("softplus: values, gradients, second gradients, special values", "[softplus]") {
  testing::run({.name = "softplus",
                .op = [](const Variable& x) { return softplus(x); },
                .reference = [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }});
}

TEST_CASE("softplus with beta", "[softplus]") {
  testing::run(
      {.name = "softplus 3",
       .op = [](const Variable& x) { return softplus(x, 3); },
       .reference =
           [](double x) { return x > 0 ? x + std::log1p(std::exp(-3 * x)) / 3 : std::log1p(std::exp(3 * x)) / 3; }});
  CHECK_THROWS_AS(softplus(array({1.f}), 0), ArgumentError);
}
