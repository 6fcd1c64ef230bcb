#include "dnn/functions/math/square.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("square: values, gradients, second gradients, special values", "[square]") {
  testing::run({.name = "square",
                .op = [](const Variable& x) { return square(x); },
                .reference = [](double x) { return x * x; }});
}

TEST_CASE("square of integers keeps their dtype", "[square]") {
  CHECK(array_equal(square(array({-3, 0, 40000})).array(), array({9, 0, 1600000000})));
}
