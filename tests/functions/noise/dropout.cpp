#include "dnn/functions/noise/dropout.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/core/config.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("dropout drops a share of the elements and scales the rest", "[dropout]") {
  seed(1);
  const Variable x(ones({1001, 33}));
  Array mask;
  const Variable y = dropout(x, 0.3, {.return_mask = &mask});
  CHECK(array_equal(y.array(), mask));
  std::int64_t kept = 0;
  const Array host = y.array().to("cpu");
  for (const float v : host.span<float>()) {
    if (v == 0) continue;
    REQUIRE(v == Approx(1 / 0.7));
    ++kept;
  }
  CHECK(kept == Approx(0.7 * 1001 * 33).epsilon(0.02));
  const Variable gx = grad({y}, {x})[0];
  CHECK(array_equal(gx.array(), mask));
}

TEST_CASE("dropout: gradients, dtypes and shapes, with the mask of a seed", "[dropout]") {
  testing::run({.name = "dropout",
                .op =
                    [](const Variable& x) {
                      seed(7);
                      return dropout(x, 0.4);
                    },
                .composed =
                    [](const Variable& x) {
                      seed(7);
                      Array mask;
                      dropout(Variable(ones(x.shape(), float64)), 0.4, {.return_mask = &mask});
                      return x * mask.to(x.dtype());
                    },
                .tolerance = 2});
}

TEST_CASE("dropout does not depend on the number of threads; draws differ", "[dropout]") {
  const Variable x(ones({300, 1000}));
  const int threads = num_threads();
  seed(3);
  const Array one = dropout(x).array();
  set_num_threads(threads == 1 ? 3 : 1);
  seed(3);
  const Array other = dropout(x).array();
  set_num_threads(threads);
  CHECK(array_equal(one, other));
  CHECK_FALSE(array_equal(other, dropout(x).array()));
}

TEST_CASE("dropout is the identity outside training, and takes a given mask", "[dropout]") {
  const Variable x(array({1.f, 2.f, 3.f}));
  const Array mask = array({2.f, 0.f, 2.f});
  CHECK(array_equal(dropout(x, 0.5, {.mask = mask}).array(), array({2.f, 0.f, 6.f})));
  const auto test = using_train(false);
  Array used = mask;
  CHECK(array_equal(dropout(x, 0.5, {.return_mask = &used}).array(), x.array()));
  CHECK_FALSE(used.defined());
}

TEST_CASE("dropout: ratios and masks that cannot be", "[dropout]") {
  const Array x = ones({3});
  CHECK(array_equal(dropout(x, 0).array(), x));
  CHECK_THROWS_AS(dropout(x, 1), ArgumentError);
  CHECK_THROWS_AS(dropout(x, -0.1), ArgumentError);
  CHECK_THROWS_AS(dropout(x, 0.0 / 0.0), ArgumentError);
  CHECK_THROWS_AS(dropout(x, 0.5, {.mask = ones({2})}), ArgumentError);
  CHECK_THROWS_AS(dropout(x, 0.5, {.mask = ones({3}, float64)}), ArgumentError);
}
