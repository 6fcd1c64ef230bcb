/// Lines: what reductions, softmax and normalizations of the GPU go along. A line is the middle axis of (outer, length,
/// inner) at one (o, i). A group of threads shares it: one thread where neighbouring lines are neighbours in memory, a
/// part of a warp or a whole block where a line's own elements are.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <bit>
#include <cstdint>

#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/warp.hpp"
#include "dnn/kernels/gpu/index.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

inline constexpr int line_threads = 256;
inline constexpr int line_warps = line_threads / 32;

/// How many threads share a line: a power of two up to 32, or a block.
inline int group_for(std::int64_t length, std::int64_t inner) noexcept {
  if (inner > 1) return 1;
  if (length >= 2048) return line_threads;
  return static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(std::clamp<std::int64_t>((length + 3) / 4, 1, 32))));
}
inline unsigned line_blocks(std::int64_t lines, int group) noexcept { return blocks_for(lines, line_threads / group); }

/// Into how many parts a line is cut so that few long lines keep the whole GPU busy. It depends on sizes alone: so do
/// the results.
inline std::int64_t pieces_for(std::int64_t lines, std::int64_t length, int group) noexcept {
  constexpr std::int64_t enough_threads = 1 << 18, least_each = 16;
  const std::int64_t wanted = enough_threads / std::max<std::int64_t>(lines * group, 1);
  return std::clamp<std::int64_t>(std::min(wanted, length / (group * least_each)), 1, 1024);
}

/// op over the values of a group, for each of its threads. Every thread of the block calls it; `shared` has room for
/// `line_warps` values. The order of operations is fixed.
template <class V, class Op>
DNN_DEVICE V reduce_group(V value, int group, V* shared, const Op& op) {
  for (int bit = 1; bit < group && bit < 32; bit *= 2) value = op(value, cu::shuffle_xor(value, bit));
  if (group > 32) {
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    value = shared[0];
    for (int warp = 1; warp < line_warps; ++warp) value = op(value, shared[warp]);
    __syncthreads();
  }
  return value;
}

/// Calls `work(line, lane, active)` for every line; idle threads of the last blocks come along with `active` false, for
/// the sake of barriers and shuffles.
template <class Work>
DNN_DEVICE void for_lines(std::int64_t lines, int group, const Work& work) {
  const int per_block = static_cast<int>(blockDim.x) / group, lane = static_cast<int>(threadIdx.x) % group;
  for (std::int64_t first = std::int64_t{blockIdx.x} * per_block; first < lines;
       first += std::int64_t{gridDim.x} * per_block) {
    const std::int64_t line = first + static_cast<int>(threadIdx.x) / group;
    work(line, lane, line < lines);
  }
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
