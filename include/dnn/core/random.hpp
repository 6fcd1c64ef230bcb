/// Counter-based random numbers: element i of a draw is a function of (seed, position, i), whatever the device or the
/// number of threads. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

/// Philox4x32-10: four random words for a 64-bit key and a 128-bit counter.
DNN_HD inline std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low,
                                                  std::uint64_t counter_high = 0) noexcept {
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  auto c0 = static_cast<std::uint32_t>(counter_low), c1 = static_cast<std::uint32_t>(counter_low >> 32);
  auto c2 = static_cast<std::uint32_t>(counter_high), c3 = static_cast<std::uint32_t>(counter_high >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    const auto n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const auto n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

/// A position in a random stream. Draws take `blocks` counters, each worth four 32-bit words.
struct RandomStream {
  std::uint64_t seed;
  std::uint64_t position;
#if DNN_CUDA
  const std::uint64_t* origin = nullptr;  ///< where the GPU finds what `position` counts from, if not from 0

  DNN_HD std::uint64_t begin() const noexcept { return origin ? *origin + position : position; }
#else
  std::uint64_t begin() const noexcept { return position; }
#endif

  DNN_HD std::array<std::uint32_t, 4> block(std::uint64_t i) const noexcept { return philox(seed, begin() + i); }

  /// Element i of a draw of uniform floats in [0, 1): 24 bits, four to a block.
  DNN_HD float uniform_float(std::uint64_t i) const noexcept {
    return static_cast<float>(block(i / 4)[i % 4] >> 8) * 0x1p-24f;
  }
  /// Element i of a draw of uniform doubles in [0, 1): 53 bits, two to a block.
  DNN_HD double uniform_double(std::uint64_t i) const noexcept {
    const auto words = block(i / 2);
    const auto high = std::uint64_t{words[2 * (i % 2)]}, low = std::uint64_t{words[2 * (i % 2) + 1]};
    return static_cast<double>(((high << 32) | low) >> 11) * 0x1p-53;
  }
  /// Two independent standard normals (Box and Muller) from one block, in double.
  DNN_HD std::pair<double, double> normal_pair(std::uint64_t i) const noexcept {
    const double u = 1.0 - uniform_double(2 * i), v = uniform_double(2 * i + 1);
    const double radius = std::sqrt(-2.0 * std::log(u)), angle = 6.283185307179586476925 * v;
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }
};

#if DNN_CUDA
class RandomGenerator;
namespace detail {
/// While work is recorded that will be repeated with other random numbers: draws count from `origin` on.
struct RecordedDraws {
  const RandomGenerator* generator;
  std::uint64_t begin;          ///< the generator's position
  const std::uint64_t* origin;  ///< on the GPU
  void (*check)(bool known);    ///< throws unless this is a draw that can be repeated
};
inline const RecordedDraws*& recorded_draws() noexcept {
  static thread_local constinit const RecordedDraws* draws = nullptr;
  return draws;
}
}  // namespace detail
#endif

/// Hands out positions of a stream. Thread-safe; reproducible as long as one thread draws.
class RandomGenerator {
 public:
  explicit RandomGenerator(std::uint64_t seed = 0) noexcept : seed_(seed) {}

  /// The stream for a draw that uses `blocks` counters; later draws do not overlap it.
  RandomStream draw(std::uint64_t blocks) {
    RandomStream stream{seed_.load(std::memory_order_relaxed), position_.fetch_add(blocks, std::memory_order_relaxed)};
#if DNN_CUDA
    if (const auto* recorded = detail::recorded_draws()) [[unlikely]] {
      recorded->check(recorded->generator == this);
      stream.position -= recorded->begin;
      stream.origin = recorded->origin;
    }
#endif
    return stream;
  }

  std::uint64_t seed() const noexcept { return seed_.load(std::memory_order_relaxed); }
  std::uint64_t position() const noexcept { return position_.load(std::memory_order_relaxed); }
  void restore(std::uint64_t seed, std::uint64_t position) noexcept {
    seed_.store(seed, std::memory_order_relaxed);
    position_.store(position, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> seed_;
  std::atomic<std::uint64_t> position_{0};
};

/// The generator behind initializers, dropout and shuffling.
inline RandomGenerator& default_generator() noexcept {
  static RandomGenerator generator;
  return generator;
}

/// Seeds the default generator: the same program then draws the same numbers again.
inline void seed(std::uint64_t value) noexcept { default_generator().restore(value, 0); }

/// A random order of 0 … n-1, a function of `seed` and `index` alone (Fisher and Yates).
inline std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, std::uint64_t index) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
  for (std::int64_t i = n - 1; i > 0; --i) {
    const auto words = philox(seed, static_cast<std::uint64_t>(i), index ^ 0x7065726d75746174u);
    const auto word = (std::uint64_t{words[0]} << 32) | words[1];
    const auto j = static_cast<std::int64_t>(word % static_cast<std::uint64_t>(i + 1));
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
  return order;
}

}  // namespace dnn::inline DNN_ABI
