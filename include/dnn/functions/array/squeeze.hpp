#pragma once

#include "dnn/array/reduce.hpp"
#include "dnn/functions/array/reshape.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x without its axes of size 1: all of them by default, or those given: `0`, `{0, -1}`. Any dtype. Shares storage.
/// Throws ArgumentError for a given axis of another size, IndexError out of range.
inline Variable squeeze(const Variable& x, const Axes& axis = {}) {
  const unsigned mask = axis.mask(x.ndim(), "squeeze");
  Shape shape = x.shape();
  for (int i = x.ndim() - 1; i >= 0; --i) {
    if (!(mask >> i & 1)) continue;
    // All axes means those that can go.
    if (axis.is_all() && shape[i] != 1) continue;
    DNN_EXPECT("squeeze", shape[i] == 1);
    shape = shape.without(i);
  }
  return reshape(x, shape);
}

}  // namespace dnn::inline DNN_ABI::inline functions
