/// Softmax, its gradient and its normaliser over the middle axis of (outer, classes, inner).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/reduce.hpp"
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
  if (n >= Pack<T>::width) return x.store(p);
  std::memcpy(p, &x, static_cast<std::size_t>(n) * sizeof(T));
}

/// One unit of work: along a row of contiguous elements pack by pack, or down as many neighbouring columns as a pack
/// has lanes.
template <class T, bool Row>
struct SoftmaxLine {
  using Number = Pack<T>;
  static constexpr std::int64_t width = Number::width;
  static constexpr T lowest = -std::numeric_limits<T>::infinity();

  std::int64_t length;  // of the axis
  std::int64_t stride;  // between the elements of a column
  std::int64_t lanes;   // columns that there are

  /// f(offset, elements) for every pack. All is inlined, for whole packs and for others: sums then live in registers.
  template <class F>
  [[gnu::always_inline]] void for_each_pack(const F& f) const noexcept {
    if constexpr (Row) {
      std::int64_t at = 0;
      for (; at + width <= length; at += width) f(at, width);
      if (at < length) f(at, length - at);
    } else if (lanes == width) {
      for (std::int64_t i = 0; i < length; ++i) f(i * stride, width);
    } else {
      for (std::int64_t i = 0; i < length; ++i) f(i * stride, lanes);
    }
  }
  /// The largest element of the row, or of each column.
  Number largest(const T* x) const noexcept {
    if constexpr (Row) return Number(reduce_row<Max>(x, length));
    Number top(lowest);
    for_each_pack([&](std::int64_t at, std::int64_t n)
                      __attribute__((always_inline)) { top = Max{}(top, load_some(x + at, n, lowest)); });
    return top;
  }
  /// What the lanes of a row come to together; columns stay apart.
  static Number across(const Number& sum) noexcept {
    if constexpr (Row) return Number(reduce_lanes<Sum>(sum));
    return sum;
  }
  /// The sum of exp(x - top). Its terms go to y, if there is one.
  Number sum_of_exp(const T* x, Number top, T* y) const noexcept {
    Number total(0);
    for_each_pack([&](std::int64_t at, std::int64_t n) __attribute__((always_inline)) {
      const Number e = exp(load_some(x + at, n, lowest) - top);
      total = total + e;
      if (y) store_some(y + at, n, e);
    });
    return across(total);
  }

  void forward(T* y, const T* x, bool log_of_it) const noexcept {
    const Number top = largest(x), total = sum_of_exp(x, top, log_of_it ? nullptr : y);
    const Number log_total = log(total), factor = 1 / total;
    for_each_pack([&](std::int64_t at, std::int64_t n) __attribute__((always_inline)) {
      if (log_of_it) store_some(y + at, n, load_some(x + at, n, lowest) - top - log_total);
      else store_some(y + at, n, load_some(y + at, n, T(0)) * factor);
    });
  }
  void backward(T* gx, const T* gy, const T* y, bool log_of_it) const noexcept {
    Number total(0);
    for_each_pack([&](std::int64_t at, std::int64_t n) __attribute__((always_inline)) {
      const Number g = load_some(gy + at, n, T(0));
      total = total + (log_of_it ? g : g * load_some(y + at, n, T(0)));
    });
    total = across(total);
    for_each_pack([&](std::int64_t at, std::int64_t n) __attribute__((always_inline)) {
      const Number g = load_some(gy + at, n, T(0)), p = load_some(y + at, n, T(0));
      store_some(gx + at, n, log_of_it ? g - exp(p) * total : p * (g - total));
    });
  }
};

/// Calls `work(line, o, i)` for the lines along the axis; their first element is x[o, 0, i].
template <class T, class Work>
void for_softmax_lines(std::int64_t outer, std::int64_t length, std::int64_t inner, const Work& work) {
  const auto grain = [](std::int64_t cost) { return 16384 / std::clamp<std::int64_t>(cost, 1, 16384); };
  if (inner == 1) {
    const SoftmaxLine<T, true> line{length, 1, 0};
    parallel_for(outer, grain(length), [&](std::int64_t begin, std::int64_t end) {
      for (auto o = begin; o < end; ++o) work(line, o, std::int64_t{0});
    });
    return;
  }
  constexpr std::int64_t width = Pack<T>::width;
  const auto strips = (inner + width - 1) / width;
  parallel_for(outer * strips, grain(length * width), [&](std::int64_t begin, std::int64_t end) {
    for (auto strip = begin; strip < end; ++strip) {
      const auto i = strip % strips * width;
      work(SoftmaxLine<T, false>{length, inner, std::min(width, inner - i)}, strip / strips, i);
    }
  });
}

}  // namespace detail

/// y[o, c, i] = exp(x[o, c, i]) / sum over c of exp(x[o, c, i]), or its logarithm.
template <class T>
void softmax(T* y, const T* x, std::int64_t outer, std::int64_t classes, std::int64_t inner, bool log_of_it) {
#if DNN_CUDA
  if (on_gpu()) return gpu::softmax(y, x, outer, classes, inner, log_of_it);
#endif
  detail::for_softmax_lines<T>(outer, classes, inner, [&](const auto& line, std::int64_t o, std::int64_t i) {
    const auto at = o * classes * inner + i;
    line.forward(y + at, x + at, log_of_it);
  });
}

/// gx = the gradient of the above, from that of y and y itself.
template <class T>
void softmax_gradient(T* gx, const T* gy, const T* y, std::int64_t outer, std::int64_t classes, std::int64_t inner,
                      bool log_of_it) {
#if DNN_CUDA
  if (on_gpu()) return gpu::softmax_gradient(gx, gy, y, outer, classes, inner, log_of_it);
#endif
  detail::for_softmax_lines<T>(outer, classes, inner, [&](const auto& line, std::int64_t o, std::int64_t i) {
    const auto at = o * classes * inner + i;
    line.backward(gx + at, gy + at, y + at, log_of_it);
  });
}

/// log sum over c of exp(x[o, c, i]) = largest[o, i] + log_sum[o, i]: kept apart, because for large x their sum has no
/// digits left for what matters.
template <class T>
void log_sum_exp(const T* x, std::int64_t outer, std::int64_t classes, std::int64_t inner, T* largest, T* log_sum) {
#if DNN_CUDA
  if (on_gpu()) return gpu::log_sum_exp(x, outer, classes, inner, largest, log_sum);
#endif
  detail::for_softmax_lines<T>(outer, classes, inner, [&](const auto& line, std::int64_t o, std::int64_t i) {
    const T* from = x + o * classes * inner + i;
    const auto top = line.largest(from), total = line.sum_of_exp(from, top, nullptr);
    const auto count = inner == 1 ? 1 : line.lanes;
    detail::store_some(largest + o * inner + i, count, top);
    detail::store_some(log_sum + o * inner + i, count, log(total));
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
