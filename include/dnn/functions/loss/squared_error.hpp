#pragma once

#include <string_view>

#include "dnn/functions/math/squared_difference.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// (x0 - x1)^2, elementwise. One shape and float dtype. Throws ArgumentError when the shapes differ.
inline Variable squared_error(const Variable& x0, const Variable& x1) {
  DNN_EXPECT("squared_error", x0.shape() == x1.shape());
  return squared_difference(x0, x1);
}

}  // namespace dnn::inline DNN_ABI::inline functions
