/// Reductions over the middle axis of (outer, reduced, inner): every pattern of axes is a sequence of these.
/// The order of additions does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/reducers.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/reduce.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// n > 0 contiguous elements, a whole number of packs, lane by lane. Sums are taken over blocks of 2048, and the
/// blocks' sums by halves: the rounding error grows with the logarithm of n, as with NumPy's pairwise sum.
template <class Op, class T>
Pack<T> reduce_packs(const T* x, std::int64_t n) {
  constexpr std::int64_t block = 2048, width = Pack<T>::width;
  if (n > block) {
    const auto half = (n / 2 + block - 1) / block * block;
    return Op{}(reduce_packs<Op>(x, half), reduce_packs<Op>(x + half, n - half));
  }
  Pack<T> sum = Pack<T>::load(x);
  std::int64_t i = width;
  if (n >= 4 * width) {
    // Four at a time: each waits for the one before. No array: at -O2 it would be one in memory.
    const auto next = [&](const Pack<T>& so_far, int k) { return Op{}(so_far, Pack<T>::load(x + i + k * width)); };
    Pack<T> second = Pack<T>::load(x + width), third = Pack<T>::load(x + 2 * width),
            fourth = Pack<T>::load(x + 3 * width);
    for (i = 4 * width; i + 4 * width <= n; i += 4 * width) {
      sum = next(sum, 0), second = next(second, 1), third = next(third, 2), fourth = next(fourth, 3);
    }
    sum = Op{}(Op{}(sum, second), Op{}(third, fourth));
  }
  for (; i < n; i += width) sum = Op{}(sum, Pack<T>::load(x + i));
  return sum;
}

#if defined(__CUDACC__)
/// The lanes of a pack: nvcc garbles what is below.
template <class Op, class T>
T reduce_lanes(const Pack<T>& x) noexcept {
  T result = Op::template identity<T>();
  for (int lane = 0; lane < Pack<T>::width; ++lane) result = Op{}(result, static_cast<T>(x.v[lane]));
  return result;
}
#else
/// The lanes of a pack, by halves: to each is added the one `Half` further on.
template <class Op, int Half, class T, int... I>
T reduce_lanes(const Pack<T>& x, std::integer_sequence<int, I...> lanes) noexcept {
  const Pack<T> sum = Op{}(x, Pack<T>(__builtin_shufflevector(x.v, x.v, (I + Half) % Pack<T>::width...)));
  if constexpr (Half > 1) return reduce_lanes<Op, Half / 2>(sum, lanes);
  else return sum.v[0];
}
template <class Op, class T>
T reduce_lanes(const Pack<T>& x) noexcept {
  constexpr int width = Pack<T>::width;
  return reduce_lanes<Op, width / 2>(x, std::make_integer_sequence<int, width>{});
}
#endif

/// Contiguous elements.
template <class Op, class T>
T reduce_row(const T* x, std::int64_t n) {
  constexpr std::int64_t width = Pack<T>::width;
  const auto whole = n / width * width;
  T result = Op::template identity<T>();
  if (whole > 0) result = reduce_lanes<Op>(reduce_packs<Op>(x, whole));
  for (auto i = whole; i < n; ++i) result = Op{}(result, x[i]);
  return result;
}

/// out[j] = reduction over r of x[r * stride + j], for `columns` neighbouring j.
template <class Op, class T>
void reduce_columns(T* out, const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns) {
  if (rows > 512) {
    const auto half = rows / 2;
    const Scratch<T> second(columns);
    reduce_columns<Op>(out, x, half, stride, columns);
    reduce_columns<Op>(second.data(), x + half * stride, rows - half, stride, columns);
    for (std::int64_t j = 0; j < columns; ++j) out[j] = Op{}(out[j], second.data()[j]);
    return;
  }
  constexpr std::int64_t width = Pack<T>::width;
  // Some rows at a time, from left to right: rows may be pages apart.
  constexpr std::int64_t together = 8;
  std::fill_n(out, columns, Op::template identity<T>());
  for (std::int64_t first = 0; first < rows; first += together) {
    const T* block = x + first * stride;
    const auto count = std::min(together, rows - first);
    std::int64_t j = 0;
    for (; j + width <= columns; j += width) {
      Pack<T> sum = Pack<T>::load(out + j);
      if (count == together) {
        for (std::int64_t r = 0; r < together; ++r) sum = Op{}(sum, Pack<T>::load(block + r * stride + j));
      } else {
        for (std::int64_t r = 0; r < count; ++r) sum = Op{}(sum, Pack<T>::load(block + r * stride + j));
      }
      sum.store(out + j);
    }
    for (; j < columns; ++j) {
      for (std::int64_t r = 0; r < count; ++r) out[j] = Op{}(out[j], block[r * stride + j]);
    }
  }
}

}  // namespace detail

/// out[o, i] = reduction over r of x[o, r, i]. An empty reduction gives Op's identity.
template <class Op, class T>
void reduce(T* out, const T* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner) {
#if DNN_CUDA
  if (on_gpu()) return gpu::reduce<Op>(out, x, outer, reduced, inner);
#endif
  constexpr std::int64_t grain = 65536;
  // A single long reduction is cut in fixed pieces, so that it too can use every thread.
  const auto piece = std::max<std::int64_t>(512, grain / std::max<std::int64_t>(inner, 1));
  if (outer == 1 && reduced > 2 * piece) {
    const auto whole = reduced / piece, rest = reduced % piece, pieces = whole + (rest > 0);
    const Scratch<T> partial(pieces * inner);
    reduce<Op>(partial.data(), x, whole, piece, inner);
    if (rest > 0) reduce<Op>(partial.data() + whole * inner, x + whole * piece * inner, 1, rest, inner);
    return reduce<Op>(out, static_cast<const T*>(partial.data()), 1, pieces, inner);
  }
  if (inner == 1) {
    parallel_for(outer, std::max<std::int64_t>(1, grain / std::max<std::int64_t>(reduced, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (auto o = begin; o < end; ++o) out[o] = detail::reduce_row<Op>(x + o * reduced, reduced);
                 });
    return;
  }
  constexpr std::int64_t strip = 1024;
  const auto strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips,
               std::max<std::int64_t>(1, grain / std::max<std::int64_t>(reduced * std::min(inner, strip), 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto p = begin; p < end; ++p) {
                   const auto o = p / strips, j = (p % strips) * strip;
                   detail::reduce_columns<Op>(out + o * inner + j, x + o * reduced * inner + j, reduced, inner,
                                              std::min(strip, inner - j));
                 }
               });
}

/// out[o, i] = first r at which x[o, r, i] is best; a NaN is better than any number, as in NumPy.
template <class Better, class T>
void arg_reduce(std::int32_t* out, const T* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner) {
#if DNN_CUDA
  if (on_gpu()) return gpu::arg_reduce<Better>(out, x, outer, reduced, inner);
#endif
  parallel_for(outer * inner, std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(reduced, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto p = begin; p < end; ++p) {
                   const T* column = x + (p / inner) * reduced * inner + p % inner;
                   T best = column[0];
                   std::int64_t index = 0;
                   for (std::int64_t r = 1; r < reduced && best == best; ++r) {
                     const T value = column[r * inner];
                     if (Better{}(value, best) || value != value) best = value, index = r;
                   }
                   out[p] = static_cast<std::int32_t>(index);
                 }
               });
}

}  // namespace dnn::inline DNN_ABI::kernels
