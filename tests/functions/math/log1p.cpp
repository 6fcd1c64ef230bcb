#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/log1p.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("log1p: values, gradients, second gradients, special values", "[log1p]") {
  testing::run({.name = "log1p",
                .op = [](const Variable& x) { return log1p(x); },
                .reference = [](double x) { return std::log1p(x); },
                .low = -0.9});
}
