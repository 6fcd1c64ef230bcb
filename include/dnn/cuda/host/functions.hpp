/// CUDA's functions for kernels, under CUDA's names: barriers, warps, atomics. Included through dnn/cuda/runtime.hpp.
#pragma once

#include "dnn/core/abi.hpp"

#if defined(DNN_CUDA_ON_HOST) && !defined(__CUDACC__)

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "dnn/cuda/host/block.hpp"

namespace dnn::inline DNN_ABI::cuda::host {

/// The value of lane `source(lane)` of each segment of `width` lanes, one's own where there is none.
template <class T, class Source>
T shuffle(unsigned mask, std::string_view op, const T& value, int width, const Where& where, Source source) {
  return block_runner().exchange(mask, op, value, where, [&](const T* values) {
    const int lane = static_cast<int>(block_runner().lane()), first = lane / width * width;
    const int from = source(lane - first);
    return from < 0 || from >= width ? values[lane] : values[first + from];
  });
}

/// The lanes of `mask` whose predicate holds.
inline unsigned ballot(unsigned mask, std::string_view op, bool predicate, const Where& where) {
  return block_runner().exchange(mask, op, predicate, where, [&](const bool* values) {
    unsigned lanes = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (mask >> lane & 1) lanes |= unsigned{values[lane]} << lane;
    }
    return lanes;
  });
}

template <class T, class F>
T atomic(T* address, F&& f) noexcept {
  const T old = *address;
  *address = f(old);
  return old;
}

}  // namespace dnn::inline DNN_ABI::cuda::host

inline void __syncthreads(dnn::cuda::Where where = dnn::cuda::Where::here()) {
  dnn::cuda::host::block_runner().barrier(false, where);
}
inline int __syncthreads_count(int predicate, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::block_runner().barrier(predicate != 0, where);
}
inline int __syncthreads_or(int predicate, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::block_runner().barrier(predicate != 0, where) != 0;
}
inline int __syncthreads_and(int predicate, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::block_runner().barrier(predicate == 0, where) == 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  dnn::cuda::host::ballot(mask, "__syncwarp", true, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::ballot(mask, "__ballot_sync", predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::ballot(mask, "__any_sync", predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::ballot(mask, "__all_sync", predicate == 0, where) == 0;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::shuffle(mask, "__shfl_sync", value, width, where, [=](int) { return lane & (width - 1); });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::shuffle(mask, "__shfl_xor_sync", value, width, where, [=](int own) { return own ^ lanes; });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::shuffle(mask, "__shfl_up_sync", value, width, where,
                                  [=](int own) { return own - static_cast<int>(delta); });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   dnn::cuda::Where where = dnn::cuda::Where::here()) {
  return dnn::cuda::host::shuffle(mask, "__shfl_down_sync", value, width, where,
                                  [=](int own) { return own + static_cast<int>(delta); });
}

inline void __threadfence() noexcept {}
inline void __threadfence_block() noexcept {}
[[noreturn]] inline void __trap() { dnn::cuda::host::block_runner().fault(cudaErrorLaunchFailure, "called __trap"); }

template <class T>
T __ldg(const T* address) noexcept {
  return *address;
}

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicSub(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return static_cast<T>(old - value); });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return std::min(old, value); });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return std::max(old, value); });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return old & value; });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return old | value; });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) noexcept {
  return dnn::cuda::host::atomic(address, [=](T old) { return old == expected ? value : old; });
}

inline float __int_as_float(int bits) noexcept { return std::bit_cast<float>(bits); }
inline int __float_as_int(float value) noexcept { return std::bit_cast<int>(value); }
inline float __uint_as_float(unsigned bits) noexcept { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) noexcept { return std::bit_cast<unsigned>(value); }
inline int __popc(unsigned bits) noexcept { return std::popcount(bits); }
inline int __clz(int bits) noexcept { return std::countl_zero(static_cast<unsigned>(bits)); }
inline int __ffs(int bits) noexcept { return bits == 0 ? 0 : std::countr_zero(static_cast<unsigned>(bits)) + 1; }

#endif
