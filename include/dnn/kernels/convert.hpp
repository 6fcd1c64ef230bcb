/// Conversion between element types.
#pragma once

#include <cstdint>
#include <cstring>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/parallel_for.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// dst[i] = src[i] for n elements of the two dtypes; to bool, anything but zero is true.
inline void convert(void* dst, DType dst_dtype, const void* src, DType src_dtype, std::int64_t n) {
  if (dst_dtype == src_dtype) {
    if (n > 0) std::memcpy(dst, src, static_cast<std::size_t>(n) * itemsize(dst_dtype));
    return;
  }
  visit_dtype(dst_dtype, [&]<class To>(std::type_identity<To>) {
    visit_dtype(src_dtype, [&]<class From>(std::type_identity<From>) {
      auto* to = static_cast<To*>(dst);
      auto* from = static_cast<const From*>(src);
      for (std::int64_t i = 0; i < n; ++i) {
        if constexpr (std::same_as<To, bool>) {
          to[i] = cast_scalar<double>(from[i]) != 0;
        } else {
          to[i] = cast_scalar<To>(from[i]);
        }
      }
    });
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
