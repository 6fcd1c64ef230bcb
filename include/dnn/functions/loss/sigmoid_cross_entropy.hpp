#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/labels.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct SigmoidCrossEntropyOptions {
  bool normalize = true;         ///< mean: over the labels that are not -1; false: over the batch (length of axis 0)
  Reduce reduce = Reduce::mean;  ///< or `no`
};

namespace nodes {

struct SigmoidCrossEntropy {
  static constexpr std::string_view name = "SigmoidCrossEntropy";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x, V t) const {
    return where(t == -1, 0, maximum(x, 0) - x * t + log1p(exp(-abs(x))));
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V t, V) const {
    if constexpr (I == 0) return where(t == -1, 0, gy * (tanh(x * 0.5) * 0.5 + 0.5 - t));
    else return where(t == -1, 0, -gy * x);
  }
};

}  // namespace nodes

/// Cross entropy of the logistic function of x and binary labels t (integers 0 and 1, shape of x):
///
///     loss = -t log s(x) - (1 - t) log(1 - s(x))
///
/// Labels -1 are ignored. mean divides by the number of the others (at least 1), or by the batch size when not
/// `normalize`; `no` returns every loss. x in a float dtype. Throws ArgumentError for other labels or shapes that
/// differ.
template <class = void>
Variable sigmoid_cross_entropy(const Variable& x, const Variable& t, const SigmoidCrossEntropyOptions& options = {}) {
  const Array labels = nodes::labels_of("sigmoid_cross_entropy", t, x.device());
  DNN_EXPECT("sigmoid_cross_entropy", t.shape() == x.shape());
  nodes::check_labels("sigmoid_cross_entropy", labels, 2, -1);
  if (options.reduce != Reduce::mean && options.reduce != Reduce::no) {
    nodes::unknown_reduction("sigmoid_cross_entropy", "mean, no");
  }
  if (!is_float(x.dtype())) throw DTypeError("[sigmoid_cross_entropy] takes a float dtype, not ", x.dtype());
  const auto [targets, counted] = nodes::binary_targets(labels, x.dtype());
  const Variable losses = elementwise(nodes::SigmoidCrossEntropy{}, x, targets);
  if (options.reduce == Reduce::no) return losses;
  if (options.normalize) return sum(losses) * nodes::inverse_count(counted, x.dtype());
  return sum(losses) * (1.0 / static_cast<double>(std::max<std::int64_t>(x.length(), 1)));
}

}  // namespace dnn::inline DNN_ABI::inline functions
