/// Single elements of arrays whose dtype is known at run time, inside kernels.
#pragma once

#include <cstdint>

#include "dnn/core/dtype.hpp"

namespace dnn::inline DNN_ABI::kernels {

namespace detail {
// Not inlined: a kernel reads and writes many operands, and nvcc would compile the switch for each.
template <class T>
DNN_HD [[gnu::noinline]] T load_converted(const void* data, DType dtype, std::int64_t i) {
  switch (dtype) {
    case DType::float32: return cast_scalar<T>(static_cast<const float*>(data)[i]);
    case DType::float64: return cast_scalar<T>(static_cast<const double*>(data)[i]);
    case DType::float16: return cast_scalar<T>(static_cast<const Float16*>(data)[i]);
    case DType::bfloat16: return cast_scalar<T>(static_cast<const BFloat16*>(data)[i]);
    case DType::int32: return cast_scalar<T>(static_cast<const std::int32_t*>(data)[i]);
    case DType::int64: return cast_scalar<T>(static_cast<const std::int64_t*>(data)[i]);
    default: return cast_scalar<T>(static_cast<const std::uint8_t*>(data)[i]);
  }
}
template <class T>
DNN_HD [[gnu::noinline]] void store_converted(void* data, DType dtype, std::int64_t i, T value) {
  switch (dtype) {
    case DType::float32: static_cast<float*>(data)[i] = cast_scalar<float>(value); break;
    case DType::float64: static_cast<double*>(data)[i] = cast_scalar<double>(value); break;
    case DType::float16: static_cast<Float16*>(data)[i] = cast_scalar<Float16>(value); break;
    case DType::bfloat16: static_cast<BFloat16*>(data)[i] = cast_scalar<BFloat16>(value); break;
    case DType::int32: static_cast<std::int32_t*>(data)[i] = cast_scalar<std::int32_t>(value); break;
    case DType::int64: static_cast<std::int64_t*>(data)[i] = cast_scalar<std::int64_t>(value); break;
    case DType::uint8: static_cast<std::uint8_t*>(data)[i] = cast_scalar<std::uint8_t>(value); break;
    case DType::boolean: static_cast<std::uint8_t*>(data)[i] = value != T(0); break;
  }
}
}  // namespace detail

/// Element i of an array of `dtype`, as T. On the GPU all threads of a launch take the same way.
template <class T>
DNN_HD T load_as(const void* data, DType dtype, std::int64_t i) {
  if (dtype == dtype_of<T>()) return static_cast<const T*>(data)[i];
  return detail::load_converted<T>(data, dtype, i);
}
template <class T>
DNN_HD void store_as(void* data, DType dtype, std::int64_t i, T value) {
  if (dtype == dtype_of<T>()) static_cast<T*>(data)[i] = value;
  else detail::store_converted(data, dtype, i, value);
}

}  // namespace dnn::inline DNN_ABI::kernels
