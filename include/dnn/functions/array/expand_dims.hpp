#pragma once

#include "dnn/functions/array/reshape.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x with a new axis of size 1, which is `axis` of the result; negative counts from its end. Any dtype. Shares storage.
/// Throws IndexError out of range.
inline Variable expand_dims(const Variable& x, int axis) {
  return reshape(x, x.shape().with_inserted(normalize_axis(axis, x.ndim() + 1, "expand_dims"), 1));
}

}  // namespace dnn::inline DNN_ABI::inline functions
