#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/expm1.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("expm1: values, gradients, second gradients, special values", "[expm1]") {
  testing::run({.name = "expm1",
                .op = [](const Variable& x) { return expm1(x); },
                .reference = [](double x) { return std::expm1(x); }});
}
