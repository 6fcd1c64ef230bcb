/// Operands that broadcast: what the elementwise kernels of all devices take.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dnn/core/dtype.hpp"
#include "dnn/core/shape.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// An operand: contiguous elements of `shape`, broadcast to the shape of the output.
struct Operand {
  const void* data;
  DType dtype;
  const Shape* shape;
};

inline constexpr int max_operands = 6;

namespace detail {

/// Axes of the output merged as far as every operand allows; strides in elements, 0 where an operand is broadcast.
struct Collapsed {
  int ndim = 0;
  std::array<std::int64_t, max_ndim> sizes{};
  std::array<std::array<std::int64_t, max_ndim>, max_operands> strides{};
};

inline Collapsed collapse(const Shape& shape, std::span<const Operand> operands) {
  std::array<std::array<std::int64_t, max_ndim>, max_operands> strides{};
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const Shape& own = *operands[k].shape;
    const auto own_strides = strides_of(own);
    for (int i = 0; i < own.ndim(); ++i) {
      const auto axis = static_cast<std::size_t>(i + shape.ndim() - own.ndim());
      strides[k][axis] = own[i] == 1 ? 0 : own_strides[static_cast<std::size_t>(i)];
    }
  }
  Collapsed out;
  for (int i = 0; i < shape.ndim(); ++i) {
    const auto axis = static_cast<std::size_t>(i);
    const auto size = shape[i];
    if (size == 1) continue;
    bool merges = out.ndim > 0;
    const auto last = static_cast<std::size_t>(out.ndim - 1);
    for (std::size_t k = 0; merges && k < operands.size(); ++k) {
      merges = out.strides[k][last] == strides[k][axis] * size;
    }
    if (merges) {
      out.sizes[last] *= size;
      for (std::size_t k = 0; k < operands.size(); ++k) out.strides[k][last] = strides[k][axis];
    } else {
      const auto next = static_cast<std::size_t>(out.ndim++);
      out.sizes[next] = size;
      for (std::size_t k = 0; k < operands.size(); ++k) out.strides[k][next] = strides[k][axis];
    }
  }
  if (out.ndim == 0) {
    out.ndim = 1;
    out.sizes[0] = 1;
  }
  return out;
}

}  // namespace detail

}  // namespace dnn::inline DNN_ABI::kernels
