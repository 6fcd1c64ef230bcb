/// Sums over everything but the middle axis of (outer, channels, inner), on the GPU.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>

#include "dnn/core/error.hpp"
#include "dnn/kernels/gpu/lines.hpp"
#include "dnn/kernels/gpu/reduce.hpp"
#include "dnn/kernels/gpu/scratch.hpp"
#include "dnn/kernels/reducers.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

struct SumAndProduct {
  double sum, product;

  struct Join {
    DNN_HD SumAndProduct operator()(const SumAndProduct& a, const SumAndProduct& b) const {
      return {a.sum + b.sum, a.product + b.product};
    }
  };
};

/// Piece p of channel c goes to sums[p, 0, c] and sums[p, 1, c]. Short runs are added up in T, these in double.
template <class T>
DNN_KERNEL void channel_sums_lines(double* sums, const T* a, const T* b, const T* shift_a, const T* shift_b,
                                   std::int64_t channels, Divisor inner, std::int64_t count, std::int64_t pieces,
                                   std::int64_t piece, int group) {
  DNN_SHARED(SumAndProduct, shared, [line_warps]);
  for_lines(pieces * channels, group, [&](std::int64_t line, int lane, bool active) {
    SumAndProduct total{0, 0};
    const std::int64_t c = line % channels, p = line / channels;
    if (active) {
      const T qa = shift_a ? shift_a[c] : T(0), qb = shift_b ? shift_b[c] : T(0);
      const std::int64_t end = (p + 1) * piece < count ? (p + 1) * piece : count;
      for (std::int64_t first = p * piece + lane; first < end; first += std::int64_t{group} * 16) {
        T sum = 0, product = 0;
        DNN_UNROLL
        for (int k = 0; k < 16; ++k) {
          const std::int64_t e = first + std::int64_t{k} * group;
          if (e >= end) break;
          const auto [o, i] = inner.divide(static_cast<Index32>(e));
          const std::int64_t at = (o * channels + c) * inner.value + i;
          sum += a[at];
          product += (a[at] - qa) * (b[at] - qb);
        }
        total.sum += static_cast<double>(sum);
        total.product += static_cast<double>(product);
      }
    }
    total = reduce_group(total, group, shared, SumAndProduct::Join{});
    if (active && lane == 0) {
      sums[2 * p * channels + c] = total.sum;
      sums[(2 * p + 1) * channels + c] = total.product;
    }
  });
}

/// As kernels::channel_sums; `sums` is (2, channels): the sums and the products.
template <class T>
void channel_sums(std::int64_t outer, std::int64_t channels, std::int64_t inner, const T* a, const T* b,
                  const T* shift_a, const T* shift_b, double* sums) {
  if (channels == 0) return;
  const auto count = outer * inner;
  if (count >= std::int64_t{1} << 31) throw Error("[normalization] more than 2^31 elements in a channel");
  const int group = inner == 1 && channels > 1 ? 1 : group_for(count, 1);
  const auto pieces = pieces_for(channels, count, group), piece = (count + pieces - 1) / pieces;
  const auto run = [&](double* to) {
    cu::launch("channel_sums", channel_sums_lines<T>, {line_blocks(pieces * channels, group), line_threads}, to, a, b,
               shift_a, shift_b, channels, Divisor(std::max<std::int64_t>(inner, 1)), count, pieces, piece, group);
  };
  if (pieces == 1) return run(sums);
  const Scratch<double> partial(2 * channels * pieces);
  double* const parts = partial.data();
  run(parts);
  reduce<Sum, double>(sums, parts, 1, pieces, 2 * channels);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
