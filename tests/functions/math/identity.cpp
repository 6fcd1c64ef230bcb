#include "dnn/functions/math/identity.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("identity returns new variables through one node", "[identity]") {
  testing::run({.name = "identity",
                .op = [](const Variable& x) { return identity(x); },
                .reference = [](double x) { return x; }});
  const Variable a(array({1.f})), b(array({2.f}));
  const Variables y = identity({a, b});
  REQUIRE(y.size() == 2);
  CHECK(y[0].creator() == y[1].creator());
  const Variables g = grad({y[0] * 2.0 + y[1]}, {a, b});
  CHECK(array_equal(g[0].array(), array({2.f})));
  CHECK(array_equal(g[1].array(), array({1.f})));
}
