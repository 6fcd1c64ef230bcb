#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/exp.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("exp: values, gradients, second gradients, special values", "[exp]") {
  testing::run({.name = "exp",
                .op = [](const Variable& x) { return exp(x); },
                .reference = [](double x) { return std::exp(x); }});
}
