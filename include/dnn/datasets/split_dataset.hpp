/// Cutting data sets into parts: training and validation, n shards, cross-validation folds.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "dnn/datasets/sub_dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// A random order of 0 ... n-1, the one that `numpy.random.RandomState(seed).permutation(n)` gives: a split by seed
/// holds the same examples as Chainer's.
inline std::vector<std::int64_t> numpy_permutation(std::int64_t n, std::uint32_t seed) {
  // The Mersenne Twister MT19937 of Matsumoto and Nishimura, seeded by Knuth's recurrence.
  std::array<std::uint32_t, 624> state;
  state[0] = seed;
  for (std::uint32_t i = 1; i < 624; ++i) state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
  std::size_t used = 624;
  const auto next = [&] {
    if (used == 624) {
      for (std::size_t i = 0; i < 624; ++i) {
        const std::uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % 624] & 0x7fffffffu);
        state[i] = state[(i + 397) % 624] ^ (y >> 1) ^ ((y & 1u) != 0 ? 0x9908b0dfu : 0u);
      }
      used = 0;
    }
    std::uint32_t y = state[used++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  };

  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = order.size(); i-- > 1;) {
    // Random bits under the smallest mask that covers i, until they fit.
    std::uint64_t mask = i, j = 0;
    for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
    do {
      j = next();
      if (mask > 0xffffffffu) j = j << 32 | next();
      j &= mask;
    } while (j > i);
    std::swap(order[i], order[j]);
  }
  return order;
}

namespace detail {
inline Order shared_order(std::vector<std::int64_t> order) {
  return order.empty() ? nullptr : std::make_shared<const std::vector<std::int64_t>>(std::move(order));
}
/// By NumPy's generator for a given seed, otherwise by the default generator.
inline std::vector<std::int64_t> random_order(std::int64_t n, std::optional<std::uint32_t> seed) {
  if (seed) return numpy_permutation(n, *seed);
  const auto stream = default_generator().draw(1);
  return permutation(n, stream.seed, stream.position);
}
}  // namespace detail

/// Two parts that share no example: [0, split_at) and [split_at, size), in `order` if one is given. Throws
/// ArgumentError unless 0 <= split_at < size.
inline std::pair<SubDataset, SubDataset> split_dataset(const DatasetRef& dataset, std::int64_t split_at,
                                                       std::vector<std::int64_t> order = {}) {
  DNN_EXPECT("split_dataset", split_at >= 0);
  DNN_EXPECT("split_dataset", split_at < dataset.size());
  const Order shared = detail::shared_order(std::move(order));
  return {SubDataset(dataset, 0, split_at, shared), SubDataset(dataset, split_at, dataset.size(), shared)};
}
/// The same in a random order; the same seed gives the same split.
inline std::pair<SubDataset, SubDataset> split_dataset_random(const DatasetRef& dataset, std::int64_t first_size,
                                                              std::optional<std::uint32_t> seed = std::nullopt) {
  return split_dataset(dataset, first_size, detail::random_order(dataset.size(), seed));
}

/// `n` parts of size / n examples; the remainder is left out. Throws ArgumentError unless n >= 1.
inline std::vector<SubDataset> split_dataset_n(const DatasetRef& dataset, std::int64_t n,
                                               std::vector<std::int64_t> order = {}) {
  DNN_EXPECT("split_dataset_n", n >= 1);
  const Order shared = detail::shared_order(std::move(order));
  const auto part = dataset.size() / n;
  std::vector<SubDataset> parts;
  for (std::int64_t i = 0; i < n; ++i) parts.emplace_back(dataset, part * i, part * (i + 1), shared);
  return parts;
}
inline std::vector<SubDataset> split_dataset_n_random(const DatasetRef& dataset, std::int64_t n,
                                                      std::optional<std::uint32_t> seed = std::nullopt) {
  return split_dataset_n(dataset, n, detail::random_order(dataset.size(), seed));
}

/// `n_fold` pairs of a training and a test set. The test sets share no example and together cover everything; their
/// sizes differ by one at most. As in Chainer, the first test set is the last block of the order. Throws ArgumentError
/// unless 1 <= n_fold <= size.
inline std::vector<std::pair<SubDataset, SubDataset>> get_cross_validation_datasets(
    const DatasetRef& dataset, std::int64_t n_fold, std::vector<std::int64_t> order = {}) {
  DNN_EXPECT("get_cross_validation_datasets", n_fold >= 1);
  DNN_EXPECT("get_cross_validation_datasets", n_fold <= dataset.size());
  const auto size = dataset.size();
  if (order.empty()) {
    for (std::int64_t i = 0; i < size; ++i) order.push_back(i);
  }
  std::vector<std::pair<SubDataset, SubDataset>> folds;
  for (auto fold = n_fold; fold-- > 0;) {
    const auto test_size = size * (fold + 1) / n_fold - size * fold / n_fold;
    folds.push_back(split_dataset(dataset, size - test_size, order));
    std::rotate(order.begin(), order.end() - test_size, order.end());
  }
  return folds;
}
inline std::vector<std::pair<SubDataset, SubDataset>> get_cross_validation_datasets_random(
    const DatasetRef& dataset, std::int64_t n_fold, std::optional<std::uint32_t> seed = std::nullopt) {
  return get_cross_validation_datasets(dataset, n_fold, detail::random_order(dataset.size(), seed));
}

}  // namespace dnn::inline DNN_ABI::datasets
