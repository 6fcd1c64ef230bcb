#pragma once

#include <string_view>

#include "dnn/functions/loss/absolute_error.hpp"
#include "dnn/functions/math/average.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// The mean of |x0 - x1| over all elements, a scalar. One shape and float dtype. Throws ArgumentError when the shapes
/// differ.
inline Variable mean_absolute_error(const Variable& x0, const Variable& x1) {
  DNN_EXPECT("mean_absolute_error", x0.shape() == x1.shape());
  return mean(absolute_error(x0, x1));
}

}  // namespace dnn::inline DNN_ABI::inline functions
