#include "dnn/functions/loss/absolute_error.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("absolute_error: values and gradients", "[absolute_error]") {
  testing::run({.name = "absolute_error",
                .op = [](const Variable& a, const Variable& b) { return absolute_error(a, b); },
                .reference = [](double a, double b) { return std::abs(a - b); },
                .arity = 2,
                .shapes = {{{}, {}}, {{7, 3}, {7, 3}}, {{0, 2}, {0, 2}}, {{2, 3, 1, 2}, {2, 3, 1, 2}}}});
}

TEST_CASE("absolute_error does not broadcast", "[absolute_error]") {
  CHECK_THROWS_AS(absolute_error(zeros({3, 1}), zeros({3})), ArgumentError);
  CHECK_THROWS_AS(absolute_error(zeros({3}), zeros({3}, float64)), DTypeError);
}

TEST_CASE("absolute_error has no slope where both are equal", "[absolute_error]") {
  const Variable a(array({1.f, 2.f, 3.f})), b(array({1.f, 3.f, 2.f}));
  Variable y = absolute_error(a, b);
  y.set_grad(ones({3}));
  y.backward();
  CHECK(array_equal(a.grad(), array({0.f, -1.f, 1.f})));
  CHECK(array_equal(b.grad(), array({0.f, 1.f, -1.f})));
}
