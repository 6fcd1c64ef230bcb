/// Cross entropy of softmax(x) and labels, in one function that never forms the probabilities in its forward pass.
///
///     loss[n, ...] = -class_weight[t] log softmax(x)[n, t, ...]            labels t
///     loss[n, ...] = -sum over c of t[n, c, ...] log softmax(x)[n, c, ...]  soft targets t
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
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
#include "dnn/kernels/softmax.hpp"

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
      if (t_.shape() == x.shape().without(1)) labels_of(op, t_, x.device());  // throws: labels, but of a float dtype
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
    factors_ = factors(x);
    largest_ = Array(kept, x.dtype(), x.device());
    log_sum_ = Array(kept, x.dtype(), x.device());
    Array losses(kept, x.dtype(), x.device());
    const auto outer = x.shape()[0], classes = x.shape()[1];
    const auto inner = outer * classes == 0 ? 0 : x.size() / (outer * classes);
    visit_float(x.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      const T* data = x.data<T>();
      kernels::log_sum_exp(data, outer, classes, inner, largest_.data<T>(), log_sum_.data<T>());
      if (soft()) return;
      kernels::for_each_index(
          "softmax_cross_entropy", losses.size(), 8192,
          Loss<T>{losses.data<T>(), data, std::as_const(largest_).data<T>(), std::as_const(log_sum_).data<T>(),
                  std::as_const(factors_).data<T>(), positions(classes, inner)});
    });
    if (soft()) {
      Array terms(x.shape(), x.dtype(), x.device());
      kernels::elementwise(
          SoftLoss{options_.soft_target_loss == SoftTargetLoss::kl_divergence}, terms.bytes(), terms.dtype(),
          terms.shape(),
          std::array{x.operand(), largest_.operand(), log_sum_.operand(), factors_.operand(), t_.operand()});
      losses = reduce_axes<kernels::Sum>(terms, 1u << 1);
    }
    if (options_.reduce == Reduce::no) return {losses.reshape(x.shape().without(1))};
    return {reduce_axes<kernels::Sum>(losses, (1u << losses.ndim()) - 1).reshape(Shape{})};
  }

  Variables backward(const Variables& gy) override {
    const Array& x = retained_input_array(0);
    const Shape kept = x.shape().with(1, 1);
    const Array& gradient = gy[0].array();
    const Array g = options_.reduce == Reduce::no ? gradient.reshape(kept) : gradient;
    Array gx(x.shape(), x.dtype(), x.device());
    if (soft()) {
      kernels::elementwise(SoftGradient{}, gx.bytes(), gx.dtype(), gx.shape(),
                           std::array{x.operand(), largest_.operand(), log_sum_.operand(), factors_.operand(),
                                      g.operand(), t_.operand()});
    } else {
      // (probability - 1) factor gy at the label, computed as one number: a 16-bit gradient is rounded once.
      const auto classes = x.shape()[1], inner = factors_.size() == 0 ? 0 : factors_.size() / x.shape()[0];
      const Array wide_g = g.to(factors_.dtype());
      Array wide = gx.dtype() == factors_.dtype() ? gx : Array(x.shape(), factors_.dtype(), x.device());
      kernels::elementwise(
          Gradient{}, wide.bytes(), wide.dtype(), wide.shape(),
          std::array{x.operand(), largest_.operand(), log_sum_.operand(), factors_.operand(), wide_g.operand()});
      visit_float(wide.dtype(), name(), [&]<class T>(std::type_identity<T>) {
        kernels::for_each_index("softmax_cross_entropy_gradient", factors_.size(), 8192,
                                LabelGradient<T>{wide.data<T>(), std::as_const(factors_).template data<T>(),
                                                 wide_g.data<T>(), wide_g.size() == 1, positions(classes, inner)});
      });
      if (!wide.shares_storage(gx)) gx.assign(wide);
    }
    if (!config().enable_backprop) return {gx};
    return {
        call(make_ref<GradientWithoutDerivative>("softmax_cross_entropy", " unless enable_double_backprop is set", gx),
             retained_input(0), gy[0])};
  }

  /// What the loss of every position is multiplied by, (N, 1, ...): 0 where it is ignored, its class's weight, and the
  /// divisor of the mean.
  Array factors(const Array& x) const {
    const DType compute = compute_dtype(x.dtype());
    Array out(x.shape().with(1, 1), compute, x.device());
    Array counted;  // 1 for every valid label
    if (soft()) {
      out.fill(1);
    } else {
      const Array weights = options_.class_weight.defined() ? options_.class_weight.to(compute) : Array{};
      counted = Array(out.shape(), float64, x.device());
      visit_float(compute, name(), [&]<class T>(std::type_identity<T>) {
        const LabelRange range(x.shape()[1], options_.ignore_label);
        kernels::for_each_index("softmax_cross_entropy", out.size(), 32768,
                                Factor<T>{out.data<T>(), counted.data<double>(), std::as_const(t_).data<std::int64_t>(),
                                          weights.defined() ? weights.data<T>() : nullptr, range});
      });
    }
    if (options_.reduce != Reduce::mean) return out;
    Array scaled(out.shape(), compute, x.device());
    if (!soft() && options_.normalize) {
      const Array scale = inverse_count(counted, compute);
      kernels::elementwise(Product{}, scaled.bytes(), compute, out.shape(), std::array{out.operand(), scale.operand()});
    } else {
      const auto count = std::max<std::int64_t>(soft() ? out.size() : x.shape()[0], 1);
      kernels::elementwise(Scale{1.0 / static_cast<double>(count)}, scaled.bytes(), compute, out.shape(),
                           std::array{out.operand()});
    }
    return scaled;
  }

  struct Product {
    template <class V>
    constexpr V operator()(V a, V b) const {
      return a * b;
    }
  };
  struct Scale {
    double by;
    template <class V>
    constexpr V operator()(V x) const {
      return x * by;
    }
  };
  /// factor gy softmax(x): the hard labels are subtracted afterwards.
  struct Gradient {
    template <class V>
    constexpr V operator()(V x, V largest, V log_sum, V factor, V gy) const {
      return where(factor == 0, 0, exp((x - largest) - log_sum) * factor * gy);
    }
  };
  struct SoftGradient {
    template <class V>
    constexpr V operator()(V x, V largest, V log_sum, V factor, V gy, V t) const {
      return (exp((x - largest) - log_sum) - t) * factor * gy;
    }
  };
  struct SoftLoss {
    bool kl_divergence;
    template <class V>
    constexpr V operator()(V x, V largest, V log_sum, V factor, V t) const {
      V log_ratio = (largest - x) + log_sum;
      if (kl_divergence) log_ratio = log_ratio + log(t + soft_target_epsilon);
      return t * log_ratio * factor;
    }
  };
  static constexpr double soft_target_epsilon = 1e-7;  // keeps log(0) out

  /// The labels, and where in x their classes lie.
  struct Positions {
    const std::int64_t* labels;
    std::int64_t classes, inner;

    DNN_HD bool known(std::int64_t i) const { return labels[i] >= 0 && labels[i] < classes; }
    DNN_HD std::int64_t at(std::int64_t i) const { return (i / inner * classes + labels[i]) * inner + i % inner; }
  };
  template <class T>
  struct Factor {
    T* factors;
    double* counted;
    const std::int64_t* labels;
    const T* weights;
    LabelRange range;

    DNN_HD void operator()(std::int64_t i) const {
      const std::int64_t label = labels[i];
      const bool valid = !range.ignores(label);
      counted[i] = valid ? 1 : 0;
      factors[i] = !valid                ? T(0)
                   : !range.holds(label) ? std::numeric_limits<T>::quiet_NaN()
                   : weights             ? weights[label]
                                         : T(1);
    }
  };
  template <class T>
  struct Loss {
    T* losses;
    const T *x, *largest, *log_sum, *factors;
    Positions positions;

    DNN_HD void operator()(std::int64_t i) const {
      const T factor = factors[i];
      // The largest is subtracted first: the difference is exact where it is small.
      losses[i] =
          factor == 0 || !positions.known(i) ? factor : factor * ((largest[i] - x[positions.at(i)]) + log_sum[i]);
    }
  };
  template <class T>
  struct LabelGradient {
    T* gx;
    const T *factors, *gy;
    bool single;  // gy is one number
    Positions positions;

    DNN_HD void operator()(std::int64_t i) const {
      if (factors[i] != 0 && positions.known(i)) gx[positions.at(i)] -= factors[i] * gy[single ? 0 : i];
    }
  };

 private:
  Positions positions(std::int64_t classes, std::int64_t inner) const {
    return {std::as_const(t_).data<std::int64_t>(), classes, inner};
  }

  Array t_;
  SoftmaxCrossEntropyOptions options_;
  Array factors_, largest_, log_sum_;  // (N, 1, ...)
};

/// The same loss made of differentiable functions.
inline Variable differentiable_softmax_cross_entropy(const Variable& x, const Array& t,
                                                     const SoftmaxCrossEntropyOptions& options) {
  const SoftmaxCrossEntropy fused(t, options);
  const std::array inputs{x.array()};
  fused.check(inputs);
  const Variable factors = fused.factors(x.array()).to(x.dtype());
  const Shape kept = x.shape().with(1, 1);
  const Variable log_z = reshape(logsumexp(x, 1), kept);
  Variable losses;
  if (fused.soft()) {
    const Variable target = t.to(x.dtype());
    losses = sum(target * (log_z - x), 1, true);
    if (options.soft_target_loss == SoftTargetLoss::kl_divergence) {
      losses = losses + sum(target * log(target + 1e-7), 1, true);
    }
  } else {
    // Comparing the labels with 0, 1, ... along the class axis marks the one that is meant.
    Shape classes = kept;
    for (int i = 0; i < kept.ndim(); ++i) classes = classes.with(i, i == 1 ? x.shape()[1] : 1);
    const Array mark = Variable(t.reshape(kept)) == Variable(arange(x.shape()[1]).reshape(classes));
    losses = log_z - sum(where(mark, x, 0), 1, true);
  }
  losses = where(factors == 0, 0, losses * factors);
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
  const Array target = soft ? t.array() : nodes::labels_of("softmax_cross_entropy", t, x.device());
  if (options.enable_double_backprop) return options.enable_double_backprop.loss(x, target, options);
  return call(make_ref<nodes::SoftmaxCrossEntropy>(target, options), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
