#include <cmath>

#include "catch.hpp"
#include "dnn/functions/activation/sigmoid.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("sigmoid: values, gradients, second gradients, special values", "[sigmoid]") {
  testing::run({.name = "sigmoid",
                .op = [](const Variable& x) { return sigmoid(x); },
                .reference = [](double x) { return 1 / (1 + std::exp(-x)); },
                .specials = {0, 1, -1, 20, 100, -20, -60, 1e30, -1e30, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0}});
}

TEST_CASE("sigmoid keeps its relative accuracy far below 0", "[sigmoid]") {
  for (const float x : {-17.f, -18.5f, -30.f, -80.f, -87.f}) {
    const double expected = 1 / (1 + std::exp(-static_cast<double>(x)));
    CHECK(sigmoid(array({x})).item() == Approx(expected).epsilon(1e-6));
  }
  CHECK(sigmoid(array({-700.0})).item() == Approx(std::exp(-700.0)).epsilon(1e-12));
}
