/// The axes of a batch of matrices, of which an operand may repeat some.
#pragma once

#include <cstdint>

#include "dnn/core/shape.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// Matrix number i of a batch lies at the sum of index times stride over the axes; a stride of 0 repeats.
struct BatchAxes {
  static constexpr int max_count = max_ndim - 2;
  using Strides = std::int64_t[max_count];

  int count = 0;
  std::int64_t sizes[max_count] = {};

  std::int64_t size() const noexcept {
    std::int64_t n = 1;
    for (int i = 0; i < count; ++i) n *= sizes[i];
    return n;
  }
  DNN_HD std::int64_t offset(std::int64_t i, const Strides& strides) const noexcept {
    std::int64_t out = 0;
    for (int axis = max_count - 1; axis >= 0; --axis) {
      if (axis >= count) continue;
      out += i % sizes[axis] * strides[axis];
      i /= sizes[axis];
    }
    return out;
  }
};

}  // namespace dnn::inline DNN_ABI::kernels
