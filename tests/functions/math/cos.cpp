#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/cos.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("cos: values, gradients, second gradients, special values", "[cos]") {
  testing::run({.name = "cos",
                .op = [](const Variable& x) { return cos(x); },
                .reference = [](double x) { return std::cos(x); }});
}
