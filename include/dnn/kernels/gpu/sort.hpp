/// The GPU's half of kernels/sort.hpp: Thrust's radix sort and its scan.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstddef>
#include <cstdint>

#include "dnn/cuda/thrust.hpp"
#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/memory/device_pool.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// The current device's caching pool, in order with the current stream: what Thrust allocates from.
struct PoolMemory {
  DevicePool& pool = device_pool(cu::current_device());
  cudaStream_t stream = cu::current_stream();

  void* allocate(std::size_t bytes) { return pool.allocate(bytes, stream); }
  void deallocate(void* block, std::size_t bytes) { pool.deallocate(block, bytes, stream); }
};

/// Numbers the elements, and puts the number of its line above each key where there is room.
struct NumberKeys {
  std::uint64_t* keys;
  std::int64_t* order;
  std::int64_t length;
  int bits;

  DNN_HD void operator()(std::int64_t i) const {
    order[i] = i;
    if (bits < 64) keys[i] |= static_cast<std::uint64_t>(i / length) << bits;
  }
};
struct LineOfElement {
  std::uint64_t* keys;
  const std::int64_t* order;
  std::int64_t length;

  DNN_HD void operator()(std::int64_t i) const { keys[i] = static_cast<std::uint64_t>(order[i] / length); }
};
struct PlaceInLine {
  std::int64_t* order;
  std::int64_t length;

  DNN_HD void operator()(std::int64_t i) const { order[i] %= length; }
};

/// As kernels::sort_lines. All lines are sorted as one, by line and key: at once where both fit in 64 bits, otherwise
/// by key and then by line, since the sort is stable.
inline void sort_lines(std::uint64_t* keys, std::int64_t* order, std::int64_t lines, std::int64_t length, int bits) {
  const auto n = lines * length;
  const bool at_once = lines == 1 || (bits < 64 && lines <= std::int64_t{1} << (63 - bits));
  PoolMemory memory;
  for_each_index("sort", n, NumberKeys{keys, order, length, at_once ? bits : 64});
  cu::sort_by_key(keys, order, n, memory);
  if (!at_once) {
    for_each_index("sort", n, LineOfElement{keys, order, length});
    cu::sort_by_key(keys, order, n, memory);
  }
  if (lines > 1) for_each_index("sort", n, PlaceInLine{order, length});
}

/// As kernels::inclusive_scan.
inline void inclusive_scan(std::int64_t* x, std::int64_t n) {
  PoolMemory memory;
  cu::inclusive_scan(x, x, n, memory);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
