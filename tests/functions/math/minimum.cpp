#include "dnn/functions/math/minimum.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("minimum: values, gradients, broadcasting, special values", "[minimum]") {
  testing::run({.name = "minimum",
                .op = [](const Variable& a, const Variable& b) { return minimum(a, b); },
                .reference = [](double a, double b) { return a != a || a < b ? a : b; },
                .arity = 2});
}

TEST_CASE("minimum: equal elements give their gradient to the first", "[minimum]") {
  const Variable a(array({1.f, 2.f, 3.f})), b(array({3.f, 2.f, 1.f}));
  const Variables g = grad({minimum(a, b)}, {a, b});
  CHECK(array_equal(g[0].array(), array({1.f, 1.f, 0.f})));
  CHECK(array_equal(g[1].array(), array({0.f, 0.f, 1.f})));
}

TEST_CASE("minimum with a number keeps the dtype", "[minimum]") {
  CHECK(array_equal(minimum(array({1, 5}), 3).array(), array({1, 3})));
  CHECK(array_equal(minimum(3, array({1.f, 5.f})).array(), array({1.f, 3.f})));
}
