#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/sin.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("sin: values, gradients, second gradients, special values", "[sin]") {
  testing::run({.name = "sin",
                .op = [](const Variable& x) { return sin(x); },
                .reference = [](double x) { return std::sin(x); }});
}
