#include "dnn/functions/activation/prelu.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/swish.hpp"
#include "dnn/functions/math/exp.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("prelu and swish learn a number per channel, or one for all", "[prelu][swish]") {
  const std::vector<std::vector<Shape>> shapes = {
      {{4, 3}, {3}}, {{2, 3, 4, 5}, {3}}, {{2, 3, 4}, {3, 4}}, {{2, 3}, {}}, {{0, 3}, {3}}};
  const auto spread = [](const Variable& x, const Variable& w) {
    Shape shape = w.shape();
    while (shape.ndim() < x.ndim() - 1) shape = shape.with_inserted(shape.ndim(), 1);
    return broadcast_to(reshape(w, shape), x.shape());
  };
  testing::run({.name = "prelu",
                .op = [](const Variable& x, const Variable& W) { return prelu(x, W); },
                .composed = [=](const Variable& x, const Variable& W) { return where(x < 0, spread(x, W) * x, x); },
                .shapes = shapes,
                .kinks = {0}});
  testing::run(
      {.name = "swish",
       .op = [](const Variable& x, const Variable& beta) { return swish(x, beta); },
       .composed = [=](const Variable& x, const Variable& beta) { return x / (exp(-(spread(x, beta) * x)) + 1); },
       .shapes = shapes});
  CHECK_THROWS_AS(prelu(ones({2, 3}), ones({2})), ArgumentError);
}
