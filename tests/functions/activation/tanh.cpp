#include <cmath>

#include "catch.hpp"
#include "dnn/functions/activation/tanh.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("tanh: values, gradients, second gradients, special values", "[tanh]") {
  testing::run({.name = "tanh",
                .op = [](const Variable& x) { return tanh(x); },
                .reference = [](double x) { return std::tanh(x); }});
}
