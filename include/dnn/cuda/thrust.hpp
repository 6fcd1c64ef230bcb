/// The algorithms that are Thrust's, on the current stream: sorting and scans. The one header that includes Thrust, and
/// not part of dnn/dnn.hpp: it takes nvcc 5 seconds. In emulation the same functions run on one thread. Arrays are
/// sorted by array/sorting.hpp.
///
///     cu::sort_by_key(keys, places, n, memory);
///
/// Pointers are the device's. `memory` lends temporary memory: `void* allocate(std::size_t bytes)` and
/// `deallocate(void*, std::size_t bytes)`, in order with the stream. Everything here gives the same bits in every run,
/// and is therefore for integers: Thrust adds floats in an order that depends on the scheduling of blocks.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/op.hpp"
#include "dnn/cuda/stream.hpp"

#if defined(__CUDACC__)
#include <thrust/scan.h>
#include <thrust/sort.h>
#include <thrust/system/cuda/execution_policy.h>
#else
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>
#endif

namespace dnn::inline DNN_ABI::cu {

namespace detail {

#if defined(__CUDACC__)

/// `memory` as Thrust's allocator.
template <class Memory>
struct ThrustMemory {
  using value_type = char;

  Memory* memory;

  char* allocate(std::ptrdiff_t bytes) { return static_cast<char*>(memory->allocate(static_cast<std::size_t>(bytes))); }
  void deallocate(char* block, std::size_t bytes) { memory->deallocate(block, bytes); }
};

/// algorithm(policy): Thrust's errors become ours.
template <class Memory, class Algorithm>
auto with_thrust(std::string_view op, Memory& memory, Algorithm algorithm) {
  const UsingOp scope(op);
  ThrustMemory<Memory> allocator{&memory};
  try {
    return algorithm(thrust::cuda::par_nosync(allocator).on(current_stream()));
  } catch (const thrust::system_error& error) {
    throw CudaError("[", op, "] ", error.what());
  }
}

#else

template <class Algorithm>
void run_alone(Algorithm algorithm) {
  algorithm();
}
/// algorithm() as a kernel of one thread.
template <class Algorithm>
void with_one_thread(std::string_view op, const Algorithm& algorithm) {
  launch(op, run_alone<Algorithm>, {1, 1}, algorithm);
}

#endif

}  // namespace detail

/// Sorts n keys, and the values in the same way; values of equal keys keep their order.
template <std::integral Key, class Value, class Memory>
void sort_by_key(Key* keys, Value* values, std::int64_t n, [[maybe_unused]] Memory& memory) {
#if defined(__CUDACC__)
  detail::with_thrust("sort_by_key", memory,
                      [=](const auto& policy) { thrust::stable_sort_by_key(policy, keys, keys + n, values); });
#else
  detail::with_one_thread("sort_by_key", [=] {
    std::vector<std::pair<Key, Value>> pairs(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) pairs[static_cast<std::size_t>(i)] = {keys[i], values[i]};
    std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::int64_t i = 0; i < n; ++i) {
      keys[i] = pairs[static_cast<std::size_t>(i)].first;
      values[i] = pairs[static_cast<std::size_t>(i)].second;
    }
  });
#endif
}

/// out[i] = in[0] + ... + in[i]; out may be in.
template <std::integral T, class Memory>
void inclusive_scan(T* out, const T* in, std::int64_t n, [[maybe_unused]] Memory& memory) {
#if defined(__CUDACC__)
  detail::with_thrust("inclusive_scan", memory,
                      [=](const auto& policy) { thrust::inclusive_scan(policy, in, in + n, out); });
#else
  detail::with_one_thread("inclusive_scan", [=] { std::inclusive_scan(in, in + n, out); });
#endif
}

}  // namespace dnn::inline DNN_ABI::cu

#endif
