/// What SerialIterator and MultithreadIterator have in common: Chainer's rules for positions, epochs and orders.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/iterators/iterator.hpp"
#include "dnn/iterators/order_sampler.hpp"

namespace dnn::inline DNN_ABI::iterators {

/// A place in the sequence of minibatches.
struct IteratorState {
  std::int64_t current_position = 0;
  std::int64_t epoch = 0;
  bool is_new_epoch = false;
  std::shared_ptr<const std::vector<std::int64_t>> order = nullptr;  ///< null: as they are
};

/// The rules. With `repeat`, minibatches are always full: one that reaches the end of an epoch takes the rest from the
/// next, or several if the data set is smaller than the batch. Reaching the end exactly already begins the new epoch.
/// Without, the last minibatch is what is left, and then there is none.
class OrderedIterator : public Iterator {
 public:
  bool repeats() const override { return repeat_; }
  std::int64_t epoch() const override { return state_.epoch; }
  bool is_new_epoch() const override { return state_.is_new_epoch; }
  double epoch_detail() const override { return detail_of(state_); }
  std::optional<double> previous_epoch_detail() const override {
    return previous_epoch_detail_ < 0 ? std::nullopt : std::optional(previous_epoch_detail_);
  }
  /// How many examples of the epoch have been handed out.
  std::int64_t current_position() const noexcept { return state_.current_position; }
  std::int64_t batch_size() const noexcept { return batch_size_; }
  const DatasetRef& dataset() const noexcept { return dataset_; }

  void reset() override {
    state_ = {};
    previous_epoch_detail_ = -1;
    if (sampler_) {
      std::vector<std::int64_t> ascending(static_cast<std::size_t>(dataset_.size()));
      for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<std::int64_t>(i);
      state_.order = new_order(ascending, 0, 0);
    }
  }

 protected:
  OrderedIterator(std::string_view name, DatasetRef dataset, std::int64_t batch_size, bool repeat,
                  std::optional<bool> shuffle, OrderSampler sampler)
      : dataset_(std::move(dataset)), batch_size_(batch_size), repeat_(repeat), sampler_(std::move(sampler)) {
    DNN_EXPECT(name, batch_size >= 1);
    if (repeat) DNN_EXPECT(name, dataset_.size() >= 1);
    if (shuffle && sampler_) {
      throw ArgumentError("[", name, "] takes shuffle or an order_sampler, not both");
    }
    if (!sampler_ && shuffle.value_or(true)) sampler_ = ShuffleOrderSampler();
    OrderedIterator::reset();
  }

  /// Moves `current` on by a minibatch and returns its indices; nothing at the end. When the sampler throws, it stays.
  std::optional<std::vector<std::int64_t>> advance(IteratorState& current) const {
    if (!repeat_ && (current.epoch > 0 || dataset_.size() == 0)) return std::nullopt;
    IteratorState state = current;
    const auto n = epoch_size(state);
    auto begin = state.current_position;
    // One pass takes what is left, however large the batch may be.
    const auto count = repeat_ ? batch_size_ : std::min(batch_size_, n - begin);
    std::vector<std::int64_t> indices;
    indices.reserve(static_cast<std::size_t>(count));
    const auto take = [&](std::int64_t from, std::int64_t to) {
      for (auto i = from; i < to; ++i) indices.push_back(state.order ? (*state.order)[static_cast<std::size_t>(i)] : i);
    };
    auto end = begin + count;
    state.is_new_epoch = false;
    while (end >= n) {
      take(begin, n);
      ++state.epoch;
      if (state.order) state.order = new_order(*state.order, begin, state.epoch);
      state.is_new_epoch = true;
      begin = 0;
      end = repeat_ ? end - n : 0;
      if (!repeat_) break;
    }
    take(begin, end);
    state.current_position = end;
    current = std::move(state);
    return indices;
  }
  double detail_of(const IteratorState& state) const {
    const auto n = static_cast<double>(std::max<std::int64_t>(epoch_size(state), 1));
    return static_cast<double>(state.epoch) + static_cast<double>(state.current_position) / n;
  }

  /// Chainer's keys. SerialIterator calls the order `order`, MultithreadIterator `_order`; both are understood.
  void serialize_state(Serializer& s, std::string_view order_key, std::string_view other_order_key) {
    IteratorState state = state_;
    double previous = previous_epoch_detail_;
    s("current_position", state.current_position);
    s("epoch", state.epoch);
    s("is_new_epoch", state.is_new_epoch);
    if (state.order) {
      const UsingDevice host(Device{});
      Array order = array_from(*state.order);
      try {
        s(order_key, order);
      } catch (const SerializationError&) {
        if (!s.is_loading()) throw;
        s(other_order_key, order);
      }
      if (s.is_loading()) state.order = checked_order(order, s);
    }
    s("previous_epoch_detail", previous);
    if (!s.is_loading()) return;
    if (state.epoch < 0 || state.current_position < 0 || state.current_position > epoch_size(state)) {
      throw SerializationError(where(s), "position ", state.current_position, " of epoch ", state.epoch,
                               " is not one of ", epoch_size(state), " examples");
    }
    state_ = std::move(state);
    previous_epoch_detail_ = previous;
  }

  DatasetRef dataset_;
  IteratorState state_;
  double previous_epoch_detail_ = -1;  // -1 also in files, as not all formats know None

 private:
  /// How messages begin; an iterator that is serialized by itself has no path.
  static std::string where(const Serializer& s) {
    return s.path().empty() ? "[iterator] " : concat("[iterator] ", s.path(), ": ");
  }
  std::int64_t epoch_size(const IteratorState& state) const {
    return state.order ? static_cast<std::int64_t>(state.order->size()) : dataset_.size();
  }
  std::shared_ptr<const std::vector<std::int64_t>> new_order(std::span<const std::int64_t> old, std::int64_t position,
                                                             std::int64_t epoch) const {
    auto order = sampler_(old, position, epoch);
    if (order.size() != old.size()) {
      throw ArgumentError("[iterator] the order sampler returned ", order.size(), " indices for ", old.size());
    }
    return std::make_shared<const std::vector<std::int64_t>>(std::move(order));
  }
  std::shared_ptr<const std::vector<std::int64_t>> checked_order(const Array& order, const Serializer& s) const {
    if (!order.defined() || order.shape() != Shape{epoch_size(state_)}) {
      throw SerializationError(where(s), "the order is ", order, ", not of ", epoch_size(state_), " examples");
    }
    const Array indices = order.to(Device{}).to(int64);
    for (const auto i : indices.span<std::int64_t>()) {
      if (i < 0 || i >= dataset_.size()) {
        throw SerializationError(where(s), "the order has index ", i, " of ", dataset_.size());
      }
    }
    const auto values = indices.span<std::int64_t>();
    return std::make_shared<const std::vector<std::int64_t>>(values.begin(), values.end());
  }

  std::int64_t batch_size_;
  bool repeat_;
  OrderSampler sampler_;
};

}  // namespace dnn::inline DNN_ABI::iterators
