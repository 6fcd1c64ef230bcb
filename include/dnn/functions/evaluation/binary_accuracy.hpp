/// The share of examples on the right side of 0.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/functions/labels.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// y scores, t labels 0 and 1 of the same shape -> the share where (y >= 0) == t, a scalar of y's dtype without
/// gradient. Labels -1 are left out; 0 when nothing is left. Throws ArgumentError for other labels or shapes that
/// differ.
inline Variable binary_accuracy(const Variable& y, const Array& t) {
  const Array labels = nodes::labels_of("binary_accuracy", t), scores = y.array().to(float64);
  DNN_EXPECT("binary_accuracy", is_float(y.dtype()));
  DNN_EXPECT("binary_accuracy", y.shape() == t.shape());
  nodes::check_labels("binary_accuracy", labels, 2, -1);
  const auto label = std::as_const(labels).span<std::int64_t>();
  const double* score = scores.data<double>();
  std::int64_t right = 0, count = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    count += label[i] != -1;
    right += (score[i] >= 0) == (label[i] == 1) && label[i] != -1;
  }
  return full({}, static_cast<double>(right) / static_cast<double>(std::max<std::int64_t>(count, 1)), y.dtype());
}

}  // namespace dnn::inline DNN_ABI::inline functions
