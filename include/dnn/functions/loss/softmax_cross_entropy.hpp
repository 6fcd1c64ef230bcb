/// Cross entropy of softmax(x) and labels, in one function that never forms the probabilities in its forward pass.
///
///     loss[n, ...] = -class_weight[t] log softmax(x)[n, t, ...]            labels t
///     loss[n, ...] = -sum over c of t[n, c, ...] log softmax(x)[n, c, ...]  soft targets t
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/labels.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/functions/math/log.hpp"
#include "dnn/functions/math/logsumexp.hpp"
#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/softmax_cross_entropy.hpp"

namespace dnn::inline DNN_ABI::inline functions {

enum class SoftTargetLoss : std::uint8_t { cross_entropy, kl_divergence };

struct SoftmaxCrossEntropyOptions;

/// A bool that brings along what it switches on: the loss made of differentiable functions is compiled only into
/// programs that set the option.
class DoubleBackprop {
 public:
  DoubleBackprop() noexcept = default;
  DoubleBackprop(bool enable) noexcept;
  explicit operator bool() const noexcept { return loss != nullptr; }

  Variable (*loss)(const Variable& x, const Array& t, const SoftmaxCrossEntropyOptions& options) = nullptr;
};

struct SoftmaxCrossEntropyOptions {
  bool normalize = true;    ///< mean: over the valid labels; false: over the batch (length of axis 0)
  Array class_weight = {};  ///< (C), a factor for each class; not part of the divisor
  std::optional<std::int64_t> ignore_label = -1;
  Reduce reduce = Reduce::mean;                ///< or `no`
  DoubleBackprop enable_double_backprop = {};  ///< a bool: needed for second derivatives; slower
  SoftTargetLoss soft_target_loss = SoftTargetLoss::cross_entropy;
};

namespace nodes {

/// A gradient that is known but whose own derivative is not offered.
class GradientWithoutDerivative final : public FunctionNode {
 public:
  GradientWithoutDerivative(std::string_view name, std::string_view advice, const Array& gradient)
      : name_(name), advice_(advice), gradient_(gradient) {}
  std::string_view name() const override { return name_; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array>) override { return {gradient_}; }
  Variables backward(const Variables&) override {
    throw GradientError("[", name_, "] has no second derivative", advice_);
  }

 private:
  std::string_view name_, advice_;
  Array gradient_;
};

class SoftmaxCrossEntropy final : public FunctionNode {
 public:
  /// `t` is int64 labels or soft targets in a float dtype.
  SoftmaxCrossEntropy(const Array& t, const SoftmaxCrossEntropyOptions& options) : t_(t), options_(options) {}

  std::string_view name() const override { return "SoftmaxCrossEntropy"; }

  bool soft() const noexcept { return is_float(t_.dtype()); }

  void check(std::span<const Array> in) const override {
    constexpr std::string_view op = "softmax_cross_entropy";
    const Array& x = in[0];
    DNN_EXPECT(op, is_float(x.dtype()));
    DNN_EXPECT(op, x.ndim() >= 2);
    if (options_.reduce != Reduce::mean && options_.reduce != Reduce::no) unknown_reduction(op, "mean, no");
    if (soft()) {
      if (t_.shape() == x.shape().without(1))
        own_labels_of(op, t_, x.device());  // throws: labels, but of a float dtype
      DNN_EXPECT(op, t_.shape() == x.shape());
      DNN_EXPECT(op, t_.device() == x.device());
      DNN_EXPECT(op, !options_.class_weight.defined());
      return;
    }
    DNN_EXPECT(op, t_.shape() == x.shape().without(1));
    check_labels(op, t_, x.shape()[1], options_.ignore_label);
    if (options_.class_weight.defined()) {
      DNN_EXPECT(op, options_.class_weight.shape() == Shape({x.shape()[1]}));
      DNN_EXPECT(op, is_float(options_.class_weight.dtype()));
      DNN_EXPECT(op, options_.class_weight.device() == x.device());
    }
  }

  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0});
    const Array& x = in[0];
    const Shape kept = x.shape().with(1, 1);
    largest_ = Array(kept, x.dtype(), x.device());
    log_sum_ = Array(kept, x.dtype(), x.device());
    if (soft()) return {soft_loss(x)};
    const bool mean = options_.reduce == Reduce::mean;
    Array loss(mean ? Shape{} : t_.shape(), x.dtype(), x.device());
    if (mean) scale_ = Array({}, x.dtype(), x.device());
    visit_float(x.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      const Array weight = class_weight(x.dtype());
      const auto scores = labelled<T>(x, weight);
      T *const largest = largest_.data<T>(), *const log_sum = log_sum_.data<T>();
      if (!mean) return kernels::softmax_cross_entropy(scores, x.data<T>(), largest, log_sum, loss.data<T>());
      const double divisor = options_.normalize ? 0 : std::max<double>(static_cast<double>(scores.outer), 1);
      kernels::mean_softmax_cross_entropy(scores, x.data<T>(), largest, log_sum,
                                          kernels::MeanLoss<T>{loss.data<T>(), scale_.data<T>(), divisor});
    });
    return {loss};
  }

  Variables backward(const Variables& gy) override {
    const Array& x = retained_input_array(0);
    const Array& g = gy[0].array();
    Array gx(x.shape(), x.dtype(), x.device());
    if (soft()) {
      const Array each = options_.reduce == Reduce::no ? g.reshape(x.shape().with(1, 1)) : g;
      kernels::elementwise(
          SoftGradient{soft_factor()}, gx.bytes(), gx.dtype(), gx.shape(),
          std::array{x.operand(), largest_.operand(), log_sum_.operand(), each.operand(), t_.operand()});
    } else {
      visit_float(largest_.dtype(), name(), [&]<class T>(std::type_identity<T>) {
        const Array weight = class_weight(largest_.dtype());
        kernels::softmax_cross_entropy_gradient(labelled<T>(x, weight), gx.bytes(), x.bytes(), g.bytes(), x.dtype(),
                                                options_.reduce == Reduce::mean, std::as_const(largest_).data<T>(),
                                                std::as_const(log_sum_).data<T>(),
                                                scale_.defined() ? std::as_const(scale_).data<T>() : nullptr);
      });
    }
    if (!config().enable_backprop) return {gx};
    return {
        call(make_ref<GradientWithoutDerivative>("softmax_cross_entropy", " unless enable_double_backprop is set", gx),
             retained_input(0), gy[0])};
  }

  /// Where x (N, C, ...) has which label, for kernels that compute in T.
  template <class T>
  kernels::LabelledScores<T> labelled(const Array& x, const Array& class_weight) const {
    return {x.shape()[0], x.shape().slice(2, x.ndim()).size(), std::as_const(t_).data<std::int64_t>(),
            class_weight.defined() ? class_weight.data<T>() : nullptr,
            kernels::LabelRange(x.shape()[1], options_.ignore_label)};
  }
  Array class_weight(DType compute) const {
    return options_.class_weight.defined() ? options_.class_weight.to(compute) : Array{};
  }
  /// What a loss of soft targets is multiplied by.
  double soft_factor() const {
    return options_.reduce == Reduce::no
               ? 1.0
               : 1.0 / static_cast<double>(std::max<std::int64_t>(t_.shape().without(1).size(), 1));
  }

  struct SoftGradient {
    double factor;
    template <class V>
    constexpr V operator()(V x, V largest, V log_sum, V gy, V t) const {
      return (exp((x - largest) - log_sum) - t) * factor * gy;
    }
  };
  struct SoftLoss {
    double factor;
    bool kl_divergence;
    template <class V>
    constexpr V operator()(V x, V largest, V log_sum, V t) const {
      V log_ratio = (largest - x) + log_sum;
      if (kl_divergence) log_ratio = log_ratio + log(t + soft_target_epsilon);
      return t * log_ratio * factor;
    }
  };
  static constexpr double soft_target_epsilon = 1e-7;  // keeps log(0) out

 private:
  Array soft_loss(const Array& x) {
    visit_float(x.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      kernels::log_sum_exp(x.data<T>(), x.shape()[0], x.shape()[1], x.shape().slice(2, x.ndim()).size(),
                           largest_.data<T>(), log_sum_.data<T>());
    });
    Array terms(x.shape(), x.dtype(), x.device());
    kernels::elementwise(SoftLoss{soft_factor(), options_.soft_target_loss == SoftTargetLoss::kl_divergence},
                         terms.bytes(), terms.dtype(), terms.shape(),
                         std::array{x.operand(), largest_.operand(), log_sum_.operand(), t_.operand()});
    if (options_.reduce == Reduce::mean) return reduce_axes<kernels::Sum>(terms, (1u << x.ndim()) - 1).reshape(Shape{});
    return reduce_axes<kernels::Sum>(terms, 1u << 1).reshape(x.shape().without(1));
  }

  Array t_;
  SoftmaxCrossEntropyOptions options_;
  Array largest_, log_sum_;  // (N, 1, ...)
  Array scale_;              // of the mean
};

/// What the differentiable loss of every position is multiplied by, and 1 where its label is not ignored (float64).
template <class T>
struct LossWeights {
  T* weights;
  double* counted;
  kernels::LabelledScores<T> scores;

  DNN_HD void operator()(std::int64_t i) const {
    weights[i] = scores.weight(i);
    counted[i] = scores.range.ignores(scores.labels[i]) ? 0 : 1;
  }
};

/// The same loss made of differentiable functions.
inline Variable differentiable_softmax_cross_entropy(const Variable& x, const Array& t,
                                                     const SoftmaxCrossEntropyOptions& options) {
  const SoftmaxCrossEntropy fused(t, options);
  const std::array inputs{x.array()};
  fused.check(inputs);
  const Shape kept = x.shape().with(1, 1);
  const bool mean = options.reduce == Reduce::mean;
  const Variable log_z = reshape(logsumexp(x, 1), kept);
  Variable losses;
  if (fused.soft()) {
    const Variable target = t.to(x.dtype());
    losses = sum(target * (log_z - x), 1, true);
    if (options.soft_target_loss == SoftTargetLoss::kl_divergence) {
      losses = losses + sum(target * log(target + SoftmaxCrossEntropy::soft_target_epsilon), 1, true);
    }
    losses = losses * fused.soft_factor();
  } else {
    // Comparing the labels with 0, 1, ... along the class axis marks the one that is meant.
    Shape classes = kept;
    for (int i = 0; i < kept.ndim(); ++i) classes = classes.with(i, i == 1 ? x.shape()[1] : 1);
    const Array mark = Variable(t.reshape(kept)) == Variable(arange(x.shape()[1]).reshape(classes));
    losses = log_z - sum(where(mark, x, 0), 1, true);

    const UsingDevice here(x.device());
    const DType compute = compute_dtype(x.dtype());
    Array weights(kept, compute), counted(kept, float64);
    visit_float(compute, "softmax_cross_entropy", [&]<class T>(std::type_identity<T>) {
      const Array class_weight = fused.class_weight(compute);
      kernels::for_each_index(
          "softmax_cross_entropy", weights.size(), 32768,
          LossWeights<T>{weights.data<T>(), counted.data<double>(), fused.labelled<T>(x.array(), class_weight)});
    });
    Variable factors = weights.to(x.dtype());
    if (mean && options.normalize) factors = factors * inverse_count(counted, x.dtype());
    else if (mean) factors = factors / static_cast<double>(std::max<std::int64_t>(x.shape()[0], 1));
    losses = where(factors == 0, 0, losses * factors);
  }
  return options.reduce == Reduce::no ? reshape(losses, x.shape().without(1)) : sum(losses);
}

}  // namespace nodes

inline DoubleBackprop::DoubleBackprop(bool enable) noexcept
    : loss(enable ? &nodes::differentiable_softmax_cross_entropy : nullptr) {}

/// x (N, C, ...) in a float dtype; t either integer labels (N, ...) or soft targets of x's shape.
///
/// reduce = mean divides the sum of the losses by the number of labels that are not `ignore_label` (at least 1), or by
/// N when not `normalize`; `no` returns a loss for every label, 0 where it is ignored. Soft targets: the mean is over
/// all positions, ignore_label does not apply, class_weight is not taken, and the gradient assumes that every t sums to
/// 1 unless enable_double_backprop is set. There is no gradient for t.
///
/// Throws ArgumentError for a label out of range (naming it, its index and the number of classes) or shapes that do not
/// fit; a second backward throws GradientError unless enable_double_backprop is set.
inline Variable softmax_cross_entropy(const Variable& x, const Variable& t,
                                      const SoftmaxCrossEntropyOptions& options = {}) {
  const bool soft = t.defined() && t.array().defined() && is_float(t.dtype());
  const Array target = soft ? t.array() : nodes::own_labels_of("softmax_cross_entropy", t, x.device());
  if (options.enable_double_backprop) return options.enable_double_backprop.loss(x, target, options);
  return call(make_ref<nodes::SoftmaxCrossEntropy>(target, options), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
