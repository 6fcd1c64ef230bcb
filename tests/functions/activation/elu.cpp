#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/elu.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("elu: values, gradients, second gradients, special values", "[elu]") {
  testing::run({.name = "elu",
                .op = [](const Variable& x) { return elu(x); },
                .reference = [](double x) { return x >= 0 ? x : std::expm1(x); },
                .kinks = {0}});
}

TEST_CASE("elu with alpha", "[elu]") {
  testing::run({.name = "elu 0.3",
                .op = [](const Variable& x) { return elu(x, 0.3); },
                .reference = [](double x) { return x >= 0 ? x : 0.3 * std::expm1(x); },
                .kinks = {0}});
}

TEST_CASE("elu: the second gradient is finite for large inputs", "[elu]") {
  const Variable x(array({1000.f, -1000.f}));
  const Variables g = grad({sum(elu(x))}, {x}, {.create_graph = true});
  CHECK(array_equal(grad({sum(g[0])}, {x})[0].array(), array({0.f, 0.f})));
}
