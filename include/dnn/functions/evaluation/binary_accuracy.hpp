/// The share of examples on the right side of 0.
#pragma once

#include <cstdint>
#include <limits>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/functions/evaluation/accuracy.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {
struct RightSide {
  double *right, *counts;
  const double* scores;
  const std::int64_t* labels;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t label = labels[i];
    counts[i] = label != -1 ? 1 : 0;
    right[i] = label != -1 && (scores[i] >= 0) == (label == 1) ? 1 : 0;
    if (label < -1 || label > 1) right[i] = std::numeric_limits<double>::quiet_NaN();
  }
};
}  // namespace nodes

/// y scores, t labels 0 and 1 of the same shape -> the share where (y >= 0) == t, a scalar of y's dtype without
/// gradient. Labels -1 are left out; 0 when nothing is left. Throws ArgumentError for other labels or shapes that
/// differ.
inline Variable binary_accuracy(const Variable& y, const Variable& t) {
  const Array labels = nodes::labels_of("binary_accuracy", t, y.device());
  DNN_EXPECT("binary_accuracy", is_float(y.dtype()));
  DNN_EXPECT("binary_accuracy", y.shape() == t.shape());
  nodes::check_labels("binary_accuracy", labels, 2, -1);
  const UsingDevice here(y.device());
  const Array scores = y.array().to(float64);
  Array counts({2, labels.size()}, float64);
  double* const right = counts.data<double>();
  kernels::for_each_index(
      "binary_accuracy", labels.size(), 32768,
      nodes::RightSide{right, right + labels.size(), scores.data<double>(), labels.data<std::int64_t>()});
  return nodes::share(counts, 0.0, y.dtype());
}

}  // namespace dnn::inline DNN_ABI::inline functions
