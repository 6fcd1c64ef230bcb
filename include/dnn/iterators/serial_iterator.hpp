/// The plain iterator.
#pragma once

#include "dnn/iterators/ordered_iterator.hpp"

namespace dnn::inline DNN_ABI::iterators {

struct SerialIteratorOptions {
  bool repeat = true;  ///< visit the data set again and again, or once
  std::optional<bool> shuffle =
      std::nullopt;                      ///< a new random order every epoch; the default unless there is a sampler
  OrderSampler order_sampler = nullptr;  ///< makes the orders instead
};

/// Minibatches of `batch_size` examples, in a new random order every epoch or, with `.shuffle = false`, in order.
///
///     SerialIterator train_iter(train, 100), test_iter(test, 100, {.repeat = false, .shuffle = false});
///
/// Throws ArgumentError for a batch_size below 1, an empty data set that is to be repeated, or both shuffle and a
/// sampler.
class SerialIterator : public OrderedIterator {
 public:
  SerialIterator(DatasetRef dataset, std::int64_t batch_size, SerialIteratorOptions options = {})
      : OrderedIterator("SerialIterator", std::move(dataset), batch_size, options.repeat, options.shuffle,
                        std::move(options.order_sampler)) {}

  std::optional<Minibatch> next() override {
    previous_epoch_detail_ = epoch_detail();
    auto indices = advance(state_);
    if (!indices) return std::nullopt;
    return Minibatch(dataset_, std::move(*indices));
  }
  void serialize(Serializer& s) override { serialize_state(s, "order", "_order"); }
};

}  // namespace dnn::inline DNN_ABI::iterators
