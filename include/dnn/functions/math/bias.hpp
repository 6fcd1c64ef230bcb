#pragma once

#include "dnn/functions/math/scale.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x + y, y aligned with x from `axis` on as in `scale`. One dtype.
inline Variable bias(const Variable& x, const Variable& y, int axis = 1) {
  return x + nodes::aligned("bias", x, y, axis);
}

}  // namespace dnn::inline DNN_ABI::inline functions
