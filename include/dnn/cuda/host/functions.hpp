/// CUDA's functions for kernels, under CUDA's names: barriers, warps, atomics. Included through dnn/cuda/runtime.hpp.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "dnn/cuda/host/block.hpp"

namespace dnn::inline DNN_ABI::cu::host {

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

inline void __syncthreads(Where where = Where::here()) { block_runner().barrier(false, where); }
inline int __syncthreads_count(int predicate, Where where = Where::here()) {
  return block_runner().barrier(predicate != 0, where);
}
inline int __syncthreads_or(int predicate, Where where = Where::here()) {
  return block_runner().barrier(predicate != 0, where) != 0;
}
inline int __syncthreads_and(int predicate, Where where = Where::here()) {
  return block_runner().barrier(predicate == 0, where) == 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu, Where where = Where::here()) {
  ballot(mask, "__syncwarp", true, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, Where where = Where::here()) {
  return ballot(mask, "__ballot_sync", predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, Where where = Where::here()) {
  return ballot(mask, "__any_sync", predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, Where where = Where::here()) {
  return ballot(mask, "__all_sync", predicate == 0, where) == 0;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, Where where = Where::here()) {
  return shuffle(mask, "__shfl_sync", value, width, where, [=](int) { return lane & (width - 1); });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, Where where = Where::here()) {
  return shuffle(mask, "__shfl_xor_sync", value, width, where, [=](int own) { return own ^ lanes; });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, Where where = Where::here()) {
  return shuffle(mask, "__shfl_up_sync", value, width, where, [=](int own) { return own - static_cast<int>(delta); });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, Where where = Where::here()) {
  return shuffle(mask, "__shfl_down_sync", value, width, where, [=](int own) { return own + static_cast<int>(delta); });
}

inline void __threadfence() noexcept {}
inline void __threadfence_block() noexcept {}
[[noreturn]] inline void __trap() { block_runner().fault(cudaErrorLaunchFailure, "called __trap"); }

template <class T>
T __ldg(const T* address) noexcept {
  return *address;
}

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicSub(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return static_cast<T>(old - value); });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return std::min(old, value); });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return std::max(old, value); });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return old & value; });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return old | value; });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) noexcept {
  return atomic(address, [=](T old) { return old == expected ? value : old; });
}

inline float __int_as_float(int bits) noexcept { return std::bit_cast<float>(bits); }
inline int __float_as_int(float value) noexcept { return std::bit_cast<int>(value); }
inline float __uint_as_float(unsigned bits) noexcept { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) noexcept { return std::bit_cast<unsigned>(value); }
inline int __popc(unsigned bits) noexcept { return std::popcount(bits); }
inline int __clz(int bits) noexcept { return std::countl_zero(static_cast<unsigned>(bits)); }
inline int __ffs(int bits) noexcept { return bits == 0 ? 0 : std::countr_zero(static_cast<unsigned>(bits)) + 1; }

}  // namespace dnn::inline DNN_ABI::cu::host

// All that there is for kernels.
using dnn::cu::host::__all_sync;
using dnn::cu::host::__any_sync;
using dnn::cu::host::__ballot_sync;
using dnn::cu::host::__clz;
using dnn::cu::host::__ffs;
using dnn::cu::host::__float_as_int;
using dnn::cu::host::__float_as_uint;
using dnn::cu::host::__int_as_float;
using dnn::cu::host::__ldg;
using dnn::cu::host::__popc;
using dnn::cu::host::__shfl_down_sync;
using dnn::cu::host::__shfl_sync;
using dnn::cu::host::__shfl_up_sync;
using dnn::cu::host::__shfl_xor_sync;
using dnn::cu::host::__syncthreads;
using dnn::cu::host::__syncthreads_and;
using dnn::cu::host::__syncthreads_count;
using dnn::cu::host::__syncthreads_or;
using dnn::cu::host::__syncwarp;
using dnn::cu::host::__threadfence;
using dnn::cu::host::__threadfence_block;
using dnn::cu::host::__trap;
using dnn::cu::host::__uint_as_float;
using dnn::cu::host::atomicAdd;
using dnn::cu::host::atomicAnd;
using dnn::cu::host::atomicCAS;
using dnn::cu::host::atomicExch;
using dnn::cu::host::atomicMax;
using dnn::cu::host::atomicMin;
using dnn::cu::host::atomicOr;
using dnn::cu::host::atomicSub;

#endif
