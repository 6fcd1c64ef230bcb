/// The order in which an epoch visits the examples.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dnn/core/random.hpp"

namespace dnn::inline DNN_ABI::iterators {

/// Called at the start with 0, 1, 2, ... and at the end of every epoch with the order that was, and the position in it
/// where the minibatch began that completed it. `epoch` is the number of the epoch whose order is asked for. Must
/// return as many indices as it got; an example may occur several times or not at all.
using OrderSampler = std::function<std::vector<std::int64_t>(std::span<const std::int64_t> current_order,
                                                             std::int64_t current_position, std::int64_t epoch)>;

/// A random permutation that depends on the seed and the number of the epoch alone, not on what was drawn before: a run
/// that is resumed goes on as if it had never stopped. Without a seed, one is drawn from the default generator.
class ShuffleOrderSampler {
 public:
  explicit ShuffleOrderSampler(std::uint64_t seed) noexcept : seed_(seed) {}
  ShuffleOrderSampler() noexcept {
    const auto words = default_generator().draw(1).block(0);
    seed_ = std::uint64_t{words[0]} << 32 | words[1];
  }

  std::vector<std::int64_t> operator()(std::span<const std::int64_t> current_order, std::int64_t,
                                       std::int64_t epoch) const {
    return permutation(static_cast<std::int64_t>(current_order.size()), seed_, static_cast<std::uint64_t>(epoch));
  }

 private:
  std::uint64_t seed_ = 0;
};

}  // namespace dnn::inline DNN_ABI::iterators
