/// What both halves of kernels/softmax_cross_entropy.hpp share.
#pragma once

#include <cstdint>
#include <limits>

#include "dnn/kernels/label_range.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// Labels for the positions (outer, inner) of scores (outer, classes, inner).
template <class T>
struct LabelledScores {
  std::int64_t outer, inner;
  const std::int64_t* labels;
  const T* class_weight;  ///< null: all are 1
  LabelRange range;

  DNN_HD std::int64_t positions() const { return outer * inner; }
  /// Where the scores of position i begin; they lie `inner` apart.
  DNN_HD std::int64_t begin(std::int64_t i) const { return i / inner * range.classes * inner + i % inner; }

  /// What the loss of position i is multiplied by: 0 where its label is ignored, NaN where it names no class.
  DNN_HD T weight(std::int64_t i) const {
    const std::int64_t label = labels[i];
    if (range.ignores(label)) return T(0);
    if (!range.holds(label)) return std::numeric_limits<T>::quiet_NaN();
    return class_weight ? class_weight[label] : T(1);
  }
  /// -weight log softmax(x)[label], where log sum of exp(x) is largest + log_sum.
  DNN_HD T loss(std::int64_t i, const T* x, T largest, T log_sum) const {
    const T w = weight(i);
    if (w == 0 || w != w) return w;
    // The largest is subtracted first: the difference is exact where it is small.
    return w * ((largest - x[begin(i) + labels[i] * inner]) + log_sum);
  }
};

/// Where the mean of the losses goes.
template <class T>
struct MeanLoss {
  T *mean, *scale;
  double divisor;  ///< 0: the number of labels that are not ignored

  DNN_HD void set(double sum, double count) const {
    const double by = divisor > 0 ? divisor : count > 1 ? count : 1;
    *scale = static_cast<T>(1 / by);
    *mean = static_cast<T>(sum / by);
  }
};

}  // namespace dnn::inline DNN_ABI::kernels
