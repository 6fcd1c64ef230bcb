/// Sums over everything but the middle axis of (outer, channels, inner): what normalisations are made of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/channel_sums.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

/// For every channel c, sums[0, c] = sum of a and sums[1, c] = sum of (a - shift_a[c]) (b - shift_b[c]). Null shifts
/// are 0. Added up in double over short blocks; the order does not depend on the number of threads.
template <class T>
void channel_sums(std::int64_t outer, std::int64_t channels, std::int64_t inner, const T* a, const T* b,
                  const T* shift_a, const T* shift_b, double* sums) {
#if DNN_CUDA
  if (on_gpu()) return gpu::channel_sums(outer, channels, inner, a, b, shift_a, shift_b, sums);
#endif
  double *const sum = sums, *const product = sums + channels;
  constexpr std::int64_t width = Pack<T>::width, block = 256;
  const auto cost = std::max<std::int64_t>(outer * inner, 1);
  if (inner == 1) {
    // Neighbouring channels side by side in a pack.
    const auto packs = (channels + width - 1) / width;
    parallel_for(packs, std::max<std::int64_t>(1, 32768 / (cost * width)), [&](std::int64_t begin, std::int64_t end) {
      for (auto c = begin * width; c < std::min(end * width, channels); c += width) {
        const auto lanes = std::min(width, channels - c);
        const auto load = [&](const T* p) {
          if (lanes == width) return Pack<T>::load(p);
          Pack<T> out(0);
          std::memcpy(&out, p, static_cast<std::size_t>(lanes) * sizeof(T));
          return out;
        };
        const Pack<T> pa = shift_a ? load(shift_a + c) : Pack<T>(0), pb = shift_b ? load(shift_b + c) : Pack<T>(0);
        std::fill_n(sum + c, lanes, 0.0);
        std::fill_n(product + c, lanes, 0.0);
        for (std::int64_t first = 0; first < outer; first += block) {
          Pack<T> s(0), p(0);
          for (auto o = first; o < std::min(first + block, outer); ++o) {
            const Pack<T> va = load(a + o * channels + c), vb = load(b + o * channels + c);
            s = s + va;
            p = p + (va - pa) * (vb - pb);
          }
          for (std::int64_t lane = 0; lane < lanes; ++lane) {
            sum[c + lane] += static_cast<double>(s.v[lane]);
            product[c + lane] += static_cast<double>(p.v[lane]);
          }
        }
      }
    });
    return;
  }
  parallel_for(channels, std::max<std::int64_t>(1, 32768 / cost), [&](std::int64_t begin, std::int64_t end) {
    for (auto c = begin; c < end; ++c) {
      const T qa = shift_a ? shift_a[c] : T(0), qb = shift_b ? shift_b[c] : T(0);
      const Pack<T> pa(qa), pb(qb);
      double total = 0, products = 0;
      Pack<T> s(0), p(0);
      std::int64_t summed = 0;
      const auto add_lanes = [&] {
        for (std::int64_t lane = 0; lane < width; ++lane) {
          total += static_cast<double>(s.v[lane]);
          products += static_cast<double>(p.v[lane]);
        }
        s = p = Pack<T>(0);
        summed = 0;
      };
      for (std::int64_t o = 0; o < outer; ++o) {
        const T *va = a + (o * channels + c) * inner, *vb = b + (o * channels + c) * inner;
        std::int64_t i = 0;
        for (; i + width <= inner; i += width) {
          const Pack<T> x = Pack<T>::load(va + i);
          s = s + x;
          p = p + (x - pa) * (Pack<T>::load(vb + i) - pb);
          if (++summed == block) add_lanes();
        }
        for (; i < inner; ++i) {
          total += static_cast<double>(va[i]);
          products += static_cast<double>((va[i] - qa) * (vb[i] - qb));
        }
      }
      add_lanes();
      sum[c] = total;
      product[c] = products;
    }
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
