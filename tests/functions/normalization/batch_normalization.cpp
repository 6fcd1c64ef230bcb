#include "dnn/functions/normalization/batch_normalization.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sqrt.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {

/// The textbook formula from differentiable functions; `over` are the axes averaged over.
Variable plain(const Variable& x, const Variable& gamma, const Variable& beta, const Axes& over, double eps) {
  const Variable m = mean(x, over, true), d = x - m, v = mean(d * d, over, true);
  return d / sqrt(v + eps) * reshape(gamma, m.shape()) + reshape(beta, m.shape());
}

}  // namespace

TEST_CASE("batch_normalization: 2-D, images, other axes", "[batch_normalization]") {
  const auto check = [](std::optional<Axes> axis, const Axes& over, std::vector<std::vector<Shape>> shapes) {
    testing::run(
        {.name = "batch_normalization",
         .op = [=](const Variable& x, const Variable& gamma,
                   const Variable& beta) { return batch_normalization(x, gamma, beta, {.eps = 1e-3, .axis = axis}); },
         .composed = [=](const Variable& x, const Variable& gamma,
                         const Variable& beta) { return plain(x, gamma, beta, over, 1e-3); },
         .arity = 3,
         .shapes = std::move(shapes),
         .tolerance = 40});
  };
  check({}, 0, {{{6, 3}, {3}, {3}}, {{5, 37}, {37}, {37}}, {{4, 0}, {0}, {0}}});
  check({}, {0, 2, 3}, {{{2, 3, 2, 2}, {3}, {3}}, {{3, 2, 5, 7}, {2}, {2}}});
  check(Axes{0, 1}, {0, 1}, {{{4, 3, 2}, {2}, {2}}});
  check(Axes(0), 0, {{{4, 3, 2}, {3, 2}, {3, 2}}});
  check(Axes(1), 1, {{{4, 3, 2}, {4, 2}, {4, 2}}});  // channels that are not neighbours
}

TEST_CASE("batch_normalization: running statistics are updated in place, with the unbiased variance",
          "[batch_normalization]") {
  const Array x = array({{1.f, 10.f}, {3.f, 10.f}}), gamma = ones({2}), beta = zeros({2});
  for (const DType dtype : {float32, float64}) {
    const Array mean = array({1.f, 0.f}).to(dtype), var = array({1.f, 1.f}).to(dtype);
    const auto off = no_backprop_mode();
    batch_normalization(x, gamma, beta, {.running_mean = mean, .running_var = var, .decay = 0.5});
    CHECK(allclose(mean, array({1.5f, 5.f})));
    CHECK(allclose(var, array({1.5f, 0.5f})));
  }
}

TEST_CASE("batch_normalization: a single example gives beta; a large mean does not hurt", "[batch_normalization]") {
  const Array beta = array({7.f, -1.f});
  CHECK(array_equal(batch_normalization(array({{3.f, 1e20f}}), ones({2}), beta).array(), beta.reshape({1, 2})));
  std::vector<float> values(1000);
  for (std::size_t i = 0; i < 1000; ++i) values[i] = 10000.f + static_cast<float>(i % 2);
  const Array x = array_from(values).reshape({1000, 1});
  const Array y = batch_normalization(x, ones({1}), zeros({1})).array();
  CHECK(y.to("cpu").data<float>()[0] == Approx(-1).epsilon(1e-3));
  CHECK(y.to("cpu").data<float>()[1] == Approx(1).epsilon(1e-3));
}

TEST_CASE("batch_normalization of float16 with float32 parameters", "[batch_normalization]") {
  const Variable x(testing::random_array({5, 3}, 1, -2, 2, DType::float16)), gamma(ones({3})), beta(zeros({3}));
  for (const bool create_graph : {false, true}) {
    Variable y = batch_normalization(x, gamma, beta);
    CHECK(y.dtype() == DType::float16);
    y.set_grad(testing::random_array({5, 3}, 2, -1, 1, DType::float16));
    gamma.node()->grad = Variable{};
    y.backward({.create_graph = create_graph});
    CHECK(x.grad().dtype() == DType::float16);
    CHECK(gamma.grad().dtype() == float32);
  }
}

TEST_CASE("fixed_batch_normalization: values and all five gradients", "[fixed_batch_normalization]") {
  const auto check = [](std::optional<Axes> axis, std::vector<std::vector<Shape>> shapes) {
    testing::run({.name = "fixed_batch_normalization",
                  .op =
                      [=](const Variables& in) {
                        return fixed_batch_normalization(in[0], in[1], in[2], in[3], in[4] * in[4],
                                                         {.eps = 0.1, .axis = axis});
                      },
                  .composed =
                      [=](const Variables& in) {
                        Shape kept = in[0].shape();
                        for (int i = 0; i < kept.ndim(); ++i) {
                          if (axis ? axis->mask(kept.ndim(), "") >> i & 1 : i != 1) kept = kept.with(i, 1);
                        }
                        const auto channel = [&](std::size_t i) { return reshape(in[i], kept); };
                        return (in[0] - channel(3)) / sqrt(channel(4) * channel(4) + 0.1) * channel(1) + channel(2);
                      },
                  .arity = 5,
                  .shapes = std::move(shapes),
                  .low = 0.3,
                  .tolerance = 40});
  };
  check({}, {{{6, 3}, {3}, {3}, {3}, {3}}, {{2, 3, 2, 2}, {3}, {3}, {3}, {3}}, {{0, 3}, {3}, {3}, {3}, {3}}});
  check(Axes(1), {{{4, 3, 2}, {4, 2}, {4, 2}, {4, 2}, {4, 2}}});
}

TEST_CASE("batch normalization says what does not fit", "[batch_normalization]") {
  const Array x = zeros({4, 3}), c = zeros({3});
  CHECK_THROWS_AS(batch_normalization(x, zeros({4}), c), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, c, zeros({3, 1})), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, zeros({3}, float64), c), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(zeros({0, 3}), c, c), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(zeros({3}), c, c), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, c, c, {.running_mean = zeros({4})}), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, c, c, {.axis = Axes{0, 1}}), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, c, c, {.axis = Axes(2)}), IndexError);
  CHECK_THROWS_AS(fixed_batch_normalization(x, c, c, zeros({4}), c), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, c, c, {.eps = 0}), ArgumentError);
  CHECK_THROWS_AS(batch_normalization(x, c, c, {.eps = -1}), ArgumentError);
  CHECK_THROWS_AS(fixed_batch_normalization(x, c, c, c, c, {.eps = 0}), ArgumentError);
}
