#include "dnn/functions/normalization/layer_normalization.hpp"

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sqrt.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("layer_normalization: every row by itself", "[layer_normalization]") {
  testing::run({.name = "layer_normalization",
                .op = [](const Variable& x, const Variable& gamma,
                         const Variable& beta) { return layer_normalization(x, gamma, beta, 0.01); },
                .composed =
                    [](const Variable& x, const Variable& gamma, const Variable& beta) {
                      const Variable d = x - mean(x, 1, true);
                      return d / sqrt(mean(d * d, 1, true) + 0.01) * gamma + beta;
                    },
                .arity = 3,
                .shapes = {{{4, 6}, {6}, {6}}, {{3, 37}, {37}, {37}}, {{2, 1}, {1}, {1}}, {{0, 3}, {3}, {3}}},
                .tolerance = 40});
  CHECK_THROWS_AS(layer_normalization(zeros({2, 3, 4}), zeros({3}), zeros({3})), ArgumentError);
  CHECK_THROWS_AS(layer_normalization(zeros({2, 3}), zeros({2}), zeros({3})), ArgumentError);
  CHECK_THROWS_AS(layer_normalization(zeros({2, 3}), zeros({3}), zeros({3}), -1e-5), ArgumentError);
}
