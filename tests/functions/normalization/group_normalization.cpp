#include "dnn/functions/normalization/group_normalization.hpp"

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sqrt.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("group_normalization: groups, instances, layers", "[group_normalization]") {
  for (const std::int64_t groups : {1, 2, 4}) {
    testing::run({.name = concat("group_normalization ", groups),
                  .op = [=](const Variable& x, const Variable& gamma,
                            const Variable& beta) { return group_normalization(x, groups, gamma, beta, 1e-3); },
                  .composed =
                      [=](const Variable& x, const Variable& gamma, const Variable& beta) {
                        const Shape rows{x.shape()[0], groups, 4 / groups * x.shape().slice(2, x.ndim()).size()};
                        const Variable r = reshape(x, rows), d = r - mean(r, 2, true);
                        const Variable y = reshape(d / sqrt(mean(d * d, 2, true) + 1e-3), x.shape());
                        const Shape channels = x.ndim() == 2 ? Shape{4} : x.ndim() == 3 ? Shape{4, 1} : Shape{4, 1, 1};
                        return y * reshape(gamma, channels) + reshape(beta, channels);
                      },
                  .arity = 3,
                  .shapes = {{{2, 4, 3, 2}, {4}, {4}}, {{3, 4, 5}, {4}, {4}}, {{0, 4, 2}, {4}, {4}}},
                  .tolerance = 40});
  }
}

TEST_CASE("group_normalization says what does not fit", "[group_normalization]") {
  const Array c = zeros({4});
  CHECK_THROWS_AS(group_normalization(zeros({2, 4}), 3, c, c), ArgumentError);
  CHECK_THROWS_AS(group_normalization(zeros({2, 4}), 0, c, c), ArgumentError);
  CHECK_THROWS_AS(group_normalization(zeros({2, 4}), 2, zeros({2}), c), ArgumentError);
  CHECK_THROWS_AS(group_normalization(zeros({4}), 2, c, c), ArgumentError);
  CHECK_THROWS_AS(group_normalization(zeros({2, 4}), 2, c, c, 0), ArgumentError);
}
