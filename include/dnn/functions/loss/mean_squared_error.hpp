#pragma once

#include <string_view>

#include "dnn/functions/loss/squared_error.hpp"
#include "dnn/functions/math/average.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// The mean of (x0 - x1)^2 over all elements, a scalar. One shape and float dtype. Throws ArgumentError when the shapes
/// differ: (N, 1) and (N,) are not what anybody means.
inline Variable mean_squared_error(const Variable& x0, const Variable& x1) {
  DNN_EXPECT("mean_squared_error", x0.shape() == x1.shape());
  return mean(squared_error(x0, x1));
}

}  // namespace dnn::inline DNN_ABI::inline functions
