/// float16 and bfloat16: storage formats. Arithmetic happens in float; these types only convert, rounding to nearest
/// even.
#pragma once

#include <bit>
#include <cstdint>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

/// IEEE 754 binary16.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  DNN_HD explicit Float16(float value) noexcept : bits(from_float(value)) {}
  DNN_HD explicit operator float() const noexcept { return to_float(bits); }

 private:
  DNN_HD static std::uint16_t from_float(float value) noexcept {
#if defined(__CUDA_ARCH__)
    std::uint16_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
#else
    const auto f = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((f >> 16) & 0x8000u);
    const std::uint32_t magnitude = f & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {
      // Subnormal: adding 0.5 aligns the mantissa so that the hardware's own rounding does the work.
      const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
      return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(aligned) - 0x3f000000u));
    }
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
#endif
  }
  DNN_HD static float to_float(std::uint16_t h) noexcept {
#if defined(__CUDA_ARCH__)
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(h));
    return value;
#else
    const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
    const std::uint32_t magnitude = static_cast<std::uint32_t>(h & 0x7fffu) << 13;
    std::uint32_t f;
    if (magnitude >= 0x0f800000u) {
      f = magnitude + 0x70000000u;  // infinity and NaN
    } else if (magnitude >= 0x00800000u) {
      f = magnitude + 0x38000000u;
    } else {
      f = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude + 0x38800000u) -
                                       std::bit_cast<float>(0x38800000u));
    }
    return std::bit_cast<float>(f | sign);
#endif
  }
};

/// The upper half of a float.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  DNN_HD explicit BFloat16(float value) noexcept : bits(from_float(value)) {}
  DNN_HD explicit operator float() const noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }

 private:
  DNN_HD static std::uint16_t from_float(float value) noexcept {
    const auto f = std::bit_cast<std::uint32_t>(value);
    if ((f & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((f >> 16) | 0x0040u);
    return static_cast<std::uint16_t>((f + 0x7fffu + ((f >> 16) & 1u)) >> 16);
  }
};

}  // namespace dnn::inline DNN_ABI
