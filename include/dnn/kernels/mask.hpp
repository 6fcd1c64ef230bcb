/// Masks of random zeros and ones, a byte for each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dnn/core/random.hpp"
#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/pack.hpp"

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// Four bytes of the mask from one block of random words.
struct DrawMask {
  std::uint8_t* keep;
  std::int64_t n;
  RandomStream stream;
  std::uint64_t threshold;

  DNN_HD void operator()(std::int64_t i) const {
    const auto words = stream.block(static_cast<std::uint64_t>(i));
    for (std::int64_t k = 0; k < 4 && 4 * i + k < n; ++k) {
      keep[4 * i + k] = words[static_cast<std::size_t>(k)] >= threshold;
    }
  }
};

template <class T>
struct ApplyMask {
  T* y;
  const T* x;
  const std::uint8_t* keep;
  T scale;

  DNN_HD void operator()(std::int64_t i) const { y[i] = x[i] * (static_cast<T>(static_cast<int>(keep[i])) * scale); }
};

/// Unsigned 64-bit lanes.
typedef std::uint64_t Words __attribute__((vector_size(simd_bytes)));
inline constexpr std::int64_t word_lanes = simd_bytes / 8;

/// The products of the lower halves of the lanes.
inline Words multiply_lower_halves(Words a, Words b) noexcept {
#if defined(__AVX512F__)
  return Words(_mm512_mul_epu32(__m512i(a), __m512i(b)));
#elif defined(__AVX2__)
  return Words(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif defined(__SSE2__) && !defined(__AVX__)
  return Words(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/// DrawMask for blocks [i, end) but for the last ones, that do not fill a register; returns the first of these. None
/// ends beyond n. This is `philox` of core/random.hpp with a counter in the lower half of each lane; what is in the
/// upper halves does not matter before the end.
inline std::int64_t draw_mask_blocks(const DrawMask& draw, std::int64_t i, std::int64_t end) noexcept {
  constexpr int rounds = 10;
  Words keys[rounds][2];
  for (std::uint32_t round = 0; round < rounds; ++round) {
    keys[round][0] = Words{} + (static_cast<std::uint32_t>(draw.stream.seed) + round * 0x9E3779B9u);
    keys[round][1] = Words{} + (static_cast<std::uint32_t>(draw.stream.seed >> 32) + round * 0xBB67AE85u);
  }
  Words counter = Words{} + (draw.stream.begin() + static_cast<std::uint64_t>(i));
  for (std::size_t lane = 0; lane < word_lanes; ++lane) counter[lane] += lane;
  constexpr std::uint64_t lower = 0xFFFFFFFFu, ones = 1ull | 1ull << 40;
  typedef std::uint32_t Halves __attribute__((vector_size(simd_bytes)));
  typedef std::uint32_t Bytes __attribute__((vector_size(simd_bytes / 2)));
  const Halves threshold = Halves{} + static_cast<std::uint32_t>(draw.threshold);
  for (; i + word_lanes <= end; i += word_lanes, counter += word_lanes) {
    Words c0 = counter, c1 = counter >> 32, c2{}, c3{};
    for (const auto& key : keys) {
      const Words p0 = multiply_lower_halves(c0, Words{} + 0xD2511F53u);
      const Words p1 = multiply_lower_halves(c2, Words{} + 0xCD9E8D57u);
      c0 = (p1 >> 32) ^ c1 ^ key[0];
      c2 = (p0 >> 32) ^ c3 ^ key[1];
      c1 = p1;
      c3 = p0;
    }
    // A one in the first byte of each lane and one in the sixth.
    const auto ones_of = [&](Words first, Words second) {
      const Halves both = Halves((first & lower) | second << 32);
      return Words(both >= threshold) & ones;
    };
    const Words first = ones_of(c0, c1), second = ones_of(c2, c3);
    const Words bytes = first | first >> 32 | (second << 16) | second >> 16;
    const Bytes out = __builtin_convertvector(bytes & lower, Bytes);
    std::memcpy(draw.keep + 4 * i, &out, sizeof out);
  }
  return i;
}

/// As many bytes as a register has numbers, on the way to these. Each step doubles the size of a lane: GCC 12 takes
/// greater ones lane by lane.
template <int Width>
struct Widening {
  typedef std::uint8_t Bytes __attribute__((vector_size(Width)));
  typedef std::uint16_t Shorts __attribute__((vector_size(2 * Width)));
  typedef std::int32_t Integers __attribute__((vector_size(4 * Width)));
};
template <class T>
Pack<T> load_bytes(const std::uint8_t* p) noexcept {
  using To = Widening<Pack<T>::width>;
  typename To::Bytes bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  const auto shorts = __builtin_convertvector(bytes, typename To::Shorts);
  const auto integers = __builtin_convertvector(shorts, typename To::Integers);
  return Pack<T>(__builtin_convertvector(integers, typename Pack<T>::Vector));
}

}  // namespace detail

/// keep[i] = whether word i of `stream` is at least `threshold`: 1 with probability 1 - threshold / 2^32. `stream` is a
/// draw of (n + 3) / 4 blocks.
inline void draw_mask(std::uint8_t* keep, std::int64_t n, const RandomStream& stream, std::uint64_t threshold) {
  const detail::DrawMask draw{keep, n, stream, threshold};
  const auto blocks = (n + 3) / 4;
#if DNN_CUDA
  if (on_gpu()) return gpu::for_each_index("draw_mask", blocks, draw);
#endif
  parallel_for(blocks, 16384, [=](std::int64_t i, std::int64_t end) {
    for (i = detail::draw_mask_blocks(draw, i, std::min(end, n / 4)); i < end; ++i) draw(i);
  });
}

/// y[i] = x[i] * (keep[i] * scale).
template <class T>
void apply_mask(T* y, const T* x, const std::uint8_t* keep, std::int64_t n, T scale) {
  const detail::ApplyMask<T> apply{y, x, keep, scale};
#if DNN_CUDA
  if (on_gpu()) return gpu::for_each_index("apply_mask", n, apply);
#endif
  parallel_for(n, 32768, [=](std::int64_t i, std::int64_t end) {
    for (; i + Pack<T>::width <= end; i += Pack<T>::width) {
      (Pack<T>::load(x + i) * (detail::load_bytes<T>(keep + i) * scale)).store(y + i);
    }
    for (; i < end; ++i) apply(i);
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
