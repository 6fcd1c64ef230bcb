/// Conversion between element types.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dnn/core/dtype.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/copy.hpp"
#include "dnn/kernels/gpu/elementwise.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

template <class To, class From>
void convert_block(To* to, const From* from, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (std::same_as<To, bool>) {
      to[i] = from[i] != 0;
    } else {
      to[i] = cast_scalar<To>(from[i]);
    }
  }
}

/// Conversion through blocks of a wide type: a loop for each type in and out, instead of one for each pair. Integers
/// go through int64, only they.
template <class Wide>
void convert_through(void* dst, DType dst_dtype, const void* src, DType src_dtype, std::int64_t n) {
  constexpr bool all = std::floating_point<Wide>;
  constexpr std::int64_t chunk = 128;
  Wide wide[chunk];
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    const auto count = std::min(chunk, n - begin);
    visit_dtype(src_dtype, [&]<class T>(std::type_identity<T>) {
      if constexpr (all || std::integral<T>) convert_block(wide, static_cast<const T*>(src) + begin, count);
    });
    visit_dtype(dst_dtype, [&]<class T>(std::type_identity<T>) {
      if constexpr (all || std::integral<T>) convert_block(static_cast<T*>(dst) + begin, wide, count);
    });
  }
}

}  // namespace detail

/// dst[i] = src[i] for n elements of the two dtypes; to bool, anything but zero is true. Not inlined: its many loops
/// would be copied to every place that makes an array from one number.
[[gnu::noinline]] inline void convert(void* dst, DType dst_dtype, const void* src, DType src_dtype, std::int64_t n) {
#if DNN_CUDA
  if (on_gpu()) return gpu::convert(dst, dst_dtype, src, src_dtype, n);
#endif
  if (dst_dtype == src_dtype) {
    if (n > 0) std::memcpy(dst, src, static_cast<std::size_t>(n) * itemsize(dst_dtype));
    return;
  }
  if (!is_float(dst_dtype) && !is_float(src_dtype)) {
    return detail::convert_through<std::int64_t>(dst, dst_dtype, src, src_dtype, n);
  }
  detail::convert_through<double>(dst, dst_dtype, src, src_dtype, n);
}

/// Sets n elements of `item` bytes to the one at `value`, which is on the host.
inline void fill(void* dst, const void* value, std::size_t item, std::int64_t n) {
#if DNN_CUDA
  if (on_gpu()) return gpu::fill(dst, value, item, n);
#endif
  auto* to = static_cast<std::byte*>(dst);
  const auto bytes = static_cast<std::size_t>(n) * item;
  if (n == 0) return;
  std::memcpy(to, value, item);
  for (std::size_t done = item; done < bytes; done *= 2) std::memcpy(to + done, to, std::min(done, bytes - done));
}

}  // namespace dnn::inline DNN_ABI::kernels
