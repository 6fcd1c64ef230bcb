#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/rsqrt.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("rsqrt: values, gradients, second gradients, special values", "[rsqrt]") {
  testing::run({.name = "rsqrt",
                .op = [](const Variable& x) { return rsqrt(x); },
                .reference = [](double x) { return 1 / std::sqrt(x); },
                .low = 0.2});
}
