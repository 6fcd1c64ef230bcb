/// Reductions over the middle axis of (outer, reduced, inner): every pattern of axes is a sequence of these.
/// The order of additions does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/reducers.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/reduce.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// Contiguous elements. Sums are taken over blocks of 512, and the blocks' sums by halves: the rounding error grows
/// with the logarithm of n, as with NumPy's pairwise sum.
template <class Op, class T>
T reduce_row(const T* x, std::int64_t n) {
  constexpr std::int64_t block = 512;
  if (n > block) {
    const auto half = (n / 2 + block - 1) / block * block;
    return Op{}(reduce_row<Op>(x, half), reduce_row<Op>(x + half, n - half));
  }
  constexpr std::int64_t width = Pack<T>::width;
  T result = Op::template identity<T>();
  std::int64_t i = 0;
  if (n >= width) {
    // Four at a time: each waits for the one before.
    Pack<T> sums[4] = {Pack<T>::load(x), Pack<T>(result), Pack<T>(result), Pack<T>(result)};
    for (i = width; i + 4 * width <= n; i += 4 * width) {
      for (int k = 0; k < 4; ++k) sums[k] = Op{}(sums[k], Pack<T>::load(x + i + k * width));
    }
    for (; i + width <= n; i += width) sums[0] = Op{}(sums[0], Pack<T>::load(x + i));
    const Pack<T> sum = Op{}(Op{}(sums[0], sums[1]), Op{}(sums[2], sums[3]));
    for (int lane = 0; lane < width; ++lane) result = Op{}(result, static_cast<T>(sum.v[lane]));
  }
  for (; i < n; ++i) result = Op{}(result, x[i]);
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
  if (inner == 1) {
    // A long single row is cut in fixed pieces, so that it too can use every thread.
    constexpr std::int64_t piece = 1 << 16;
    if (outer == 1 && reduced > 2 * piece) {
      const auto pieces = (reduced + piece - 1) / piece;
      const Scratch<T> partial(pieces);
      parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto p = begin; p < end; ++p) {
          partial.data()[p] = detail::reduce_row<Op>(x + p * piece, std::min(piece, reduced - p * piece));
        }
      });
      *out = detail::reduce_row<Op>(partial.data(), pieces);
      return;
    }
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
