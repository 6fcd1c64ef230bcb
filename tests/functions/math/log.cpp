#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/log.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("log: values, gradients, second gradients, special values", "[log]") {
  testing::run({.name = "log",
                .op = [](const Variable& x) { return log(x); },
                .reference = [](double x) { return std::log(x); },
                .low = 0.1});
}
