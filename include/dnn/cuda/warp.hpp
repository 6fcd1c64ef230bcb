/// Warps and blocks: the only way kernels exchange values between threads without memory.
///
/// All lanes that `mask` names must call the function together; blocks consist of whole warps. Reductions add in a
/// fixed order, the same in every run and on every device.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstring>
#include <type_traits>

#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/runtime.hpp"

namespace dnn::inline DNN_ABI::cu {

inline constexpr int warp_size = 32;
inline constexpr unsigned full_warp = 0xffffffffu;

/// This thread's number in its block, counted along x, then y, then z.
DNN_DEVICE inline int thread_rank() {
  return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}
DNN_DEVICE inline int block_threads() { return static_cast<int>(blockDim.x * blockDim.y * blockDim.z); }
DNN_DEVICE inline int lane() { return thread_rank() % warp_size; }
DNN_DEVICE inline int warp() { return thread_rank() / warp_size; }

namespace detail {
/// Moves a value of any size with a function for 32-bit words.
template <class T, class Move>
DNN_DEVICE T by_words(const T& value, Move move) {
  static_assert(std::is_trivially_copyable_v<T>);
  constexpr int words = (sizeof(T) + 3) / 4;
  unsigned buffer[words] = {};
  memcpy(buffer, &value, sizeof(T));
  DNN_UNROLL
  for (int i = 0; i < words; ++i) buffer[i] = move(buffer[i]);
  T out;
  memcpy(&out, buffer, sizeof(T));
  return out;
}
}  // namespace detail

/// The value of another lane: by number, or at a distance. `width` (a power of two) splits the warp into segments.
template <class T>
DNN_DEVICE T shuffle(const T& value, int source, int width = warp_size, unsigned mask = full_warp) {
  return detail::by_words(value, [=](unsigned word) { return __shfl_sync(mask, word, source, width); });
}
template <class T>
DNN_DEVICE T shuffle_xor(const T& value, int lanes, int width = warp_size, unsigned mask = full_warp) {
  return detail::by_words(value, [=](unsigned word) { return __shfl_xor_sync(mask, word, lanes, width); });
}
template <class T>
DNN_DEVICE T shuffle_up(const T& value, int distance, int width = warp_size, unsigned mask = full_warp) {
  return detail::by_words(
      value, [=](unsigned word) { return __shfl_up_sync(mask, word, static_cast<unsigned>(distance), width); });
}
template <class T>
DNN_DEVICE T shuffle_down(const T& value, int distance, int width = warp_size, unsigned mask = full_warp) {
  return detail::by_words(
      value, [=](unsigned word) { return __shfl_down_sync(mask, word, static_cast<unsigned>(distance), width); });
}
/// The lanes whose predicate holds, one bit each.
DNN_DEVICE inline unsigned ballot(bool predicate, unsigned mask = full_warp) { return __ballot_sync(mask, predicate); }
DNN_DEVICE inline bool any(bool predicate, unsigned mask = full_warp) { return __any_sync(mask, predicate) != 0; }
DNN_DEVICE inline bool all(bool predicate, unsigned mask = full_warp) { return __all_sync(mask, predicate) != 0; }
/// Waits for the lanes, and makes what they wrote visible to each other.
DNN_DEVICE inline void sync_warp(unsigned mask = full_warp) { __syncwarp(mask); }

/// op over the lanes of each segment of Width lanes; every lane gets the result. The order of operands is fixed, so op
/// must be commutative for all lanes to get the same bits.
template <int Width = warp_size, class T, class Op>
DNN_DEVICE T warp_reduce(T value, Op op) {
  DNN_UNROLL
  for (int lanes = Width / 2; lanes > 0; lanes /= 2) value = op(value, shuffle_xor(value, lanes, Width));
  return value;
}

/// op over the threads of the block; every thread gets the result. `identity` is op's neutral element. All threads call
/// it; it may be called again at once.
template <class T, class Op>
DNN_DEVICE T block_reduce(T value, Op op, T identity) {
  DNN_SHARED(T, partial, [warp_size + 1]);
  const int warps = block_threads() / warp_size;
  value = warp_reduce(value, op);
  if (lane() == 0) partial[warp()] = value;
  __syncthreads();
  if (warp() == 0) {
    value = warp_reduce(lane() < warps ? partial[lane()] : identity, op);
    if (lane() == 0) partial[warp_size] = value;
  }
  __syncthreads();
  return partial[warp_size];
}

}  // namespace dnn::inline DNN_ABI::cu

#endif
