#include "dnn/functions/math/scale.hpp"
#include "catch.hpp"
#include "dnn/functions/math/bias.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("scale and bias align y with x from an axis on", "[scale][bias]") {
  testing::run({.name = "scale",
                .op = [](const Variable& x, const Variable& y) { return scale(x, y); },
                .composed =
                    [](const Variable& x, const Variable& y) {
                      return x * reshape(y, {3, 1, 1});
                    },
                .shapes = {{{2, 3, 4, 5}, {3}}}});
  testing::run({.name = "bias",
                .op = [](const Variable& x, const Variable& y) { return bias(x, y, 0); },
                .composed =
                    [](const Variable& x, const Variable& y) {
                      return x + reshape(y, {2, 3, 1});
                    },
                .shapes = {{{2, 3, 4}, {2, 3}}}});
  CHECK(scale(ones({2, 3}), full({}, 2.f)).shape() == Shape{2, 3});
}

TEST_CASE("scale: shapes that do not fit", "[scale]") {
  const Array x = ones({2, 3});
  CHECK_THROWS_AS(scale(x, ones({2})), ArgumentError);
  CHECK_THROWS_AS(scale(x, ones({3, 1})), ArgumentError);
  CHECK_THROWS_AS(scale(x, ones({3}), 2), ArgumentError);
  CHECK_THROWS_AS(bias(x, ones({3}), -4), ArgumentError);
}
