/// The normaliser of softmax over the middle axis of (outer, classes, inner).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/softmax.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// The first `n` elements at p, and `fill` in the lanes beyond.
template <class T>
Pack<T> load_some(const T* p, std::int64_t n, T fill) noexcept {
  if (n >= Pack<T>::width) return Pack<T>::load(p);
  Pack<T> out(fill);
  std::memcpy(&out, p, static_cast<std::size_t>(n) * sizeof(T));
  return out;
}
template <class T>
void store_some(T* p, std::int64_t n, Pack<T> x) noexcept {
  std::memcpy(p, &x, static_cast<std::size_t>(std::min<std::int64_t>(n, Pack<T>::width)) * sizeof(T));
}

/// One contiguous row of classes.
template <class T>
void log_sum_exp_row(const T* x, std::int64_t classes, T* largest, T* log_sum) {
  constexpr std::int64_t width = Pack<T>::width;
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  Pack<T> top(lowest), sums(0);
  for (std::int64_t c = 0; c < classes; c += width) top = maximum(top, load_some(x + c, classes - c, lowest));
  T best = lowest, sum = 0;
  for (int i = 0; i < width; ++i) {
    const T value = static_cast<T>(top.v[i]);
    best = value > best || value != value ? value : best;
  }
  for (std::int64_t c = 0; c < classes; c += width)
    sums = sums + exp(load_some(x + c, classes - c, lowest) - Pack<T>(best));
  for (int i = 0; i < width; ++i) sum += static_cast<T>(sums.v[i]);
  *largest = best;
  *log_sum = std::log(sum);
}

/// Neighbouring positions, a pack of them at a time; the classes of one are `inner` apart.
template <class T>
void log_sum_exp_columns(const T* x, std::int64_t classes, std::int64_t inner, T* largest, T* log_sum) {
  for (std::int64_t i = 0; i < inner; i += Pack<T>::width) {
    Pack<T> top(-std::numeric_limits<T>::infinity()), sums(0);
    for (std::int64_t c = 0; c < classes; ++c) top = maximum(top, load_some(x + c * inner + i, inner - i, T(0)));
    for (std::int64_t c = 0; c < classes; ++c) sums = sums + exp(load_some(x + c * inner + i, inner - i, T(0)) - top);
    store_some(largest + i, inner - i, top);
    store_some(log_sum + i, inner - i, log(sums));
  }
}

}  // namespace detail

/// log sum over c of exp(x[o, c, i]) = largest[o, i] + log_sum[o, i]: kept apart, because for large x their sum has no
/// digits left for what matters.
template <class T>
void log_sum_exp(const T* x, std::int64_t outer, std::int64_t classes, std::int64_t inner, T* largest, T* log_sum) {
#if DNN_CUDA
  if (on_gpu()) return gpu::log_sum_exp(x, outer, classes, inner, largest, log_sum);
#endif
  const auto cost = std::max<std::int64_t>(classes * inner, 1);
  parallel_for(outer, std::max<std::int64_t>(1, 16384 / cost), [&](std::int64_t begin, std::int64_t end) {
    for (auto o = begin; o < end; ++o) {
      if (inner == 1) {
        detail::log_sum_exp_row(x + o * classes, classes, largest + o, log_sum + o);
      } else {
        detail::log_sum_exp_columns(x + o * classes * inner, classes, inner, largest + o * inner, log_sum + o * inner);
      }
    }
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
