#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/log.hpp"
#include "dnn/functions/math/logsumexp.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("logsumexp is log(sum(exp(x)))", "[logsumexp]") {
  testing::run({.name = "logsumexp 1",
                .op = [](const Variable& x) { return logsumexp(x, 1); },
                .composed = [](const Variable& x) { return log(sum(exp(x), 1)); },
                .shapes = {{{2, 3}}, {{3, 5, 7}}, {{0, 4}}}});
  testing::run({.name = "logsumexp of all",
                .op = [](const Variable& x) { return logsumexp(x); },
                .composed = [](const Variable& x) { return log(sum(exp(x))); },
                .shapes = {{{}}, {{33, 17}}}});
  testing::run({.name = "logsumexp 0 2",
                .op =
                    [](const Variable& x) {
                      return logsumexp(x, {0, 2});
                    },
                .composed =
                    [](const Variable& x) {
                      return log(sum(exp(x), {0, 2}));
                    },
                .shapes = {{{2, 3, 4}}}});
}

TEST_CASE("logsumexp neither overflows nor loses infinities", "[logsumexp]") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  CHECK(logsumexp(array({1000., 1000.})).item() == Approx(1000.6931471805599));
  CHECK(logsumexp(array({-1000., -1000.})).item() == Approx(-999.3068528194401));
  CHECK(logsumexp(array({-inf, 2.})).item() == 2);
  CHECK(logsumexp(array({-inf, -inf})).item() == -inf);
  CHECK(logsumexp(array({inf, 0.})).item() == inf);
  CHECK(logsumexp(zeros({0})).item() == -inf);
  CHECK_THROWS_AS(logsumexp(array({1, 2})), DTypeError);
}
