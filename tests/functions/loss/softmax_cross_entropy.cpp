#include "dnn/functions/loss/softmax_cross_entropy.hpp"

#include <cmath>
#include <optional>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {

/// The loss spelled out in double, hard labels.
Array plain(const Array& x, const Array& labels, const SoftmaxCrossEntropyOptions& o) {
  const Array t = labels.to("cpu");
  const auto classes = x.shape()[1], inner = x.shape().slice(2, x.ndim()).size();
  Array losses = zeros(t.shape(), float64);
  double sum = 0, count = 0;
  for (std::int64_t i = 0; i < t.size(); ++i) {
    const auto label = t.data<int>()[i];
    if (o.ignore_label && label == *o.ignore_label) continue;
    const double* column = x.data<double>() + i / inner * classes * inner + i % inner;
    double z = 0;
    for (std::int64_t c = 0; c < classes; ++c) z += std::exp(column[c * inner]);
    const double weight = o.class_weight.defined() ? o.class_weight.to("cpu").to(float64).at<double>(label) : 1;
    sum += losses.data<double>()[i] = weight * (std::log(z) - column[label * inner]);
    ++count;
  }
  if (o.reduce == Reduce::no) return losses;
  return scalar(sum / std::max(1.0, o.normalize ? count : static_cast<double>(x.shape()[0])));
}

void check(const Shape& shape, const Array& t, SoftmaxCrossEntropyOptions o) {
  for (const bool twice : {false, true}) {
    o.enable_double_backprop = twice;
    testing::run({.name = concat("softmax_cross_entropy ", twice),
                  .op = [=](const Variable& x) { return softmax_cross_entropy(x, t, o); },
                  .array_reference = [=](const Arrays& in) { return Arrays{plain(in[0], t, o)}; },
                  .shapes = {{shape}},
                  .twice_differentiable = twice,
                  .tolerance = 4});
  }
}

Array labels(const Shape& shape, int classes, bool some_ignored) {
  std::vector<int> t(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < t.size(); ++i) {
    t[i] = some_ignored && i % 4 == 1 ? -1 : (static_cast<int>(i) * 7 + 3) % classes;
  }
  return array_from<int>(t, shape);
}

}  // namespace

TEST_CASE("softmax_cross_entropy: reductions, ignored labels, class weights", "[softmax_cross_entropy]") {
  const Array weight = array({0.5f, 2.f, 0.f, 1.f, 3.f});
  for (const bool ignored : {false, true}) {
    const Array t = labels({6}, 5, ignored);
    check({6, 5}, t, {});
    check({6, 5}, t, {.normalize = false});
    check({6, 5}, t, {.reduce = Reduce::no});
    check({6, 5}, t, {.class_weight = weight});
    check({6, 5}, t, {.class_weight = weight, .reduce = Reduce::no});
  }
  check({6, 5}, labels({6}, 5, false), {.ignore_label = 3});
  check({6, 5}, labels({6}, 5, false), {.ignore_label = std::nullopt});
}

TEST_CASE("softmax_cross_entropy: many classes, one class, positions, nothing", "[softmax_cross_entropy]") {
  check({3, 37}, labels({3}, 37, false), {});
  check({3, 1}, labels({3}, 1, false), {});
  check({2, 4, 3, 7}, labels({2, 3, 7}, 4, true), {});
  check({2, 4, 3, 7}, labels({2, 3, 7}, 4, true), {.normalize = false, .reduce = Reduce::no});
  check({2, 3, 1, 1}, labels({2, 1, 1}, 3, true), {});
  check({0, 3}, labels({0}, 3, false), {});
  check({4, 3}, full({4}, -1, int32), {});
}

TEST_CASE("softmax_cross_entropy: soft targets", "[softmax_cross_entropy]") {
  Array t_host = testing::random_array({3, 4, 2}, 9, 0.1, 1).to("cpu");
  for (std::int64_t i = 0; i < 6; ++i) {
    double* p = t_host.data<double>() + i / 2 * 8 + i % 2;
    const double total = p[0] + p[2] + p[4] + p[6];
    for (int c = 0; c < 4; ++c) p[2 * c] /= total;
  }
  const Array t = t_host.to(current_device());
  for (const auto kind : {SoftTargetLoss::cross_entropy, SoftTargetLoss::kl_divergence}) {
    for (const Reduce reduce : {Reduce::mean, Reduce::no}) {
      for (const bool twice : {false, true}) {
        testing::run({.name = "soft targets",
                      .op =
                          [=](const Variable& x) {
                            return softmax_cross_entropy(
                                x, t.to(x.dtype()),
                                {.reduce = reduce, .enable_double_backprop = twice, .soft_target_loss = kind});
                          },
                      .array_reference =
                          [=](const Arrays& in) {
                            Array losses = zeros({3, 2}, float64);
                            double sum = 0;
                            for (std::int64_t i = 0; i < 6; ++i) {
                              const auto at = i / 2 * 8 + i % 2;
                              double z = 0, loss = 0;
                              for (int c = 0; c < 4; ++c) z += std::exp(in[0].data<double>()[at + 2 * c]);
                              for (int c = 0; c < 4; ++c) {
                                const double q = std::as_const(t_host).data<double>()[at + 2 * c];
                                loss -= q * (in[0].data<double>()[at + 2 * c] - std::log(z));
                                if (kind == SoftTargetLoss::kl_divergence) loss += q * std::log(q + 1e-7);
                              }
                              sum += losses.data<double>()[i] = loss;
                            }
                            return Arrays{reduce == Reduce::no ? losses : scalar(sum / 6)};
                          },
                      .shapes = {{{3, 4, 2}}},
                      .dtypes = {float32, float64},
                      .twice_differentiable = twice,
                      .tolerance = 4});
      }
    }
  }
}

TEST_CASE("softmax_cross_entropy: large scores, and NaN behind an ignored label", "[softmax_cross_entropy]") {
  const Array x = array({{1e4f, 1e4f - 1, -1e30f}, {-1e4f, 1e4f, 0.f}});
  const Array y = softmax_cross_entropy(x, array({1, 1}), {.reduce = Reduce::no}).array();
  CHECK(y.to("cpu").at<float>(0) == Approx(1 + std::log1p(std::exp(-1.0))).epsilon(1e-6));
  CHECK(y.to("cpu").at<float>(1) == 0);
  const Variable v(array({{std::nanf(""), 1.f}, {0.f, 0.f}}));
  const Variable loss = softmax_cross_entropy(v, array({-1, 0}));
  CHECK(loss.item() == Approx(std::log(2.0)));
  loss.backward();
  CHECK(array_equal(v.grad(), array({{0.f, 0.f}, {-0.5f, 0.5f}})));
}

TEST_CASE("softmax_cross_entropy offers a second derivative only when asked", "[softmax_cross_entropy]") {
  const Variable x(array({{0.1f, 0.2f}, {0.3f, -0.4f}}));
  const Variable g = grad({softmax_cross_entropy(x, array({0, 1}))}, {x}, {.create_graph = true})[0];
  CHECK_THROWS_WITH(grad({g}, {x}, {.grad_outputs = {Variable(ones({2, 2}))}}),
                    ContainsSubstring("enable_double_backprop"));
}

TEST_CASE("softmax_cross_entropy names a label out of range", "[softmax_cross_entropy]") {
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  const Array x = zeros({3, 10});
  CHECK_THROWS_WITH(softmax_cross_entropy(x, array({0, 9, 10})),
                    ContainsSubstring("[softmax_cross_entropy] label 10 at index 2 is out of range for 10 classes"));
  CHECK_THROWS_AS(softmax_cross_entropy(x, array({0, -2, 1})), ArgumentError);
  CHECK_THROWS_AS(softmax_cross_entropy(x, array({0, -1, 1}), {.ignore_label = std::nullopt}), ArgumentError);
  CHECK_THROWS_AS(softmax_cross_entropy(x, full({3}, std::int64_t{1} << 32, int64)), ArgumentError);
  CHECK_THROWS_AS(softmax_cross_entropy(x, array({0, 1})), ArgumentError);
  CHECK_THROWS_WITH(softmax_cross_entropy(x, zeros({3})),
                    ContainsSubstring("[softmax_cross_entropy] labels are integers, not float32 (3,)"));
  CHECK_THROWS_AS(softmax_cross_entropy(x, zeros({3, 9})), ArgumentError);
  CHECK_THROWS_AS(softmax_cross_entropy(x, array({0, 1, 2}), {.class_weight = ones({9})}), ArgumentError);
  CHECK_THROWS_AS(softmax_cross_entropy(x, array({0, 1, 2}), {.reduce = Reduce::sum}), ArgumentError);
  CHECK_THROWS_AS(softmax_cross_entropy(x, Array{}), ArgumentError);
}

TEST_CASE("softmax_cross_entropy keeps the labels it checked", "[softmax_cross_entropy]") {
  const Variable x(array({{1.0, 2.0, 0.5}}));
  Array t = array<std::int64_t>({1});
  const Variable loss = softmax_cross_entropy(x, t);
  t.fill(1 << 30);
  loss.backward();
  CHECK(x.grad().to("cpu").at<double>(0, 1) < 0);
}

TEST_CASE("labels may be Variables", "[softmax_cross_entropy]") {
  const Variable x(array({{1.f, 2.f, 0.f}, {0.f, 1.f, 3.f}}));
  const Array t = array({1, 0});
  CHECK(softmax_cross_entropy(x, Variable(t)).item() == softmax_cross_entropy(x, t).item());
  CHECK_THROWS_WITH(softmax_cross_entropy(x, Array{}), Catch::Matchers::ContainsSubstring("no labels"));
  CHECK_THROWS_WITH(softmax_cross_entropy(x, Variable{}), Catch::Matchers::ContainsSubstring("no labels"));
}
