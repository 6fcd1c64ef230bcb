#include "dnn/functions/math/maximum.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("maximum: values, gradients, broadcasting, special values", "[maximum]") {
  testing::run({.name = "maximum",
                .op = [](const Variable& a, const Variable& b) { return maximum(a, b); },
                .reference = [](double a, double b) { return a != a || a > b ? a : b; },
                .arity = 2});
}

TEST_CASE("maximum: equal elements give their gradient to the first", "[maximum]") {
  const Variable a(array({1.f, 2.f, 3.f})), b(array({3.f, 2.f, 1.f}));
  const Variables g = grad({maximum(a, b)}, {a, b});
  CHECK(array_equal(g[0].array(), array({0.f, 1.f, 1.f})));
  CHECK(array_equal(g[1].array(), array({1.f, 0.f, 0.f})));
}

TEST_CASE("maximum with a number keeps the dtype", "[maximum]") {
  CHECK(array_equal(maximum(array({1, 5}), 3).array(), array({3, 5})));
  CHECK(array_equal(maximum(3, array({1.f, 5.f})).array(), array({3.f, 5.f})));
}
