/// Indices of GPU kernels: 32 bits wide, divided without a division. Arrays with more elements are cut into parts by
/// the host code.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <bit>
#include <cstdint>

namespace dnn::inline DNN_ABI::kernels::gpu {

using Index32 = std::uint32_t;

/// What one launch works on at most.
inline constexpr std::int64_t max_elements = std::int64_t{1} << 30;

/// Division of numbers below 2^31 by the same divisor again and again, as a multiplication and a shift.
/// Granlund, Montgomery, "Division by invariant integers using multiplication", 1994.
struct Divisor {
  Index32 value = 1, factor = 1, shift = 0;

  Divisor() = default;
  explicit Divisor(std::int64_t divisor) noexcept : value(static_cast<Index32>(divisor)) {
    shift = static_cast<Index32>(std::bit_width(value - 1));
    factor = static_cast<Index32>(((std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - value)) / value + 1);
  }

  struct Result {
    Index32 quotient, remainder;
  };
  DNN_HD Result divide(Index32 n) const noexcept {
    const auto high = static_cast<Index32>((std::uint64_t{n} * factor) >> 32);
    const Index32 quotient = (high + n) >> shift;
    return {quotient, n - quotient * value};
  }
};

/// Blocks of `threads` threads for n elements, `each` for a thread; kernels loop where this is not enough.
inline unsigned blocks_for(std::int64_t n, int threads, int each = 1) noexcept {
  const std::int64_t per_block = std::int64_t{threads} * each, blocks = (n + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < (1 << 20) ? blocks : 1 << 20);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
