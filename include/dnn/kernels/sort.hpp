/// Sorting integers and adding them up, on the current device: what array/sorting.hpp is made of. Where there are CUDA
/// devices it includes Thrust.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/sort.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

/// Sorts every line of keys (lines, length): order[l, r] is the place in line l of its r-th key, counted from the
/// least; equal keys keep their order. Keys have no bits but the lowest `bits`. A single line's keys are sorted
/// themselves; those of several lines are of no use afterwards. Only the first `wanted` places of each line need be
/// right.
inline void sort_lines(std::uint64_t* keys, std::int64_t* order, std::int64_t lines, std::int64_t length,
                       std::int64_t wanted, [[maybe_unused]] int bits) {
#if DNN_CUDA
  if (on_gpu()) return gpu::sort_lines(keys, order, lines, length, bits);
#endif
  using Numbered = std::pair<std::uint64_t, std::int64_t>;
  parallel_for(lines, std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(length, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 const Scratch<Numbered> scratch(length);
                 Numbered* const line = scratch.data();
                 for (auto l = begin; l < end; ++l) {
                   for (std::int64_t r = 0; r < length; ++r) line[r] = {keys[l * length + r], r};
                   if (wanted < length) std::partial_sort(line, line + wanted, line + length);
                   else std::sort(line, line + length);
                   for (std::int64_t r = 0; r < length; ++r) {
                     keys[l * length + r] = line[r].first;
                     order[l * length + r] = line[r].second;
                   }
                 }
               });
}

/// x[i] becomes x[0] + ... + x[i].
inline void inclusive_scan(std::int64_t* x, std::int64_t n) {
#if DNN_CUDA
  if (on_gpu()) return gpu::inclusive_scan(x, n);
#endif
  std::inclusive_scan(x, x + n, x);
}

}  // namespace dnn::inline DNN_ABI::kernels
