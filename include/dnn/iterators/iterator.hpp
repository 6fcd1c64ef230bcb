/// The interface of iterators: minibatches of a data set, one after the other, and where in the data set they are.
#pragma once

#include <cstdint>
#include <optional>

#include "dnn/autograd/serializer.hpp"
#include "dnn/datasets/dataset.hpp"

namespace dnn::inline DNN_ABI {

/// What updaters and evaluators draw from.
///
///     while (auto minibatch = iterator.next()) {
///       const Batch batch = concat_examples(*minibatch);
///       ...
///     }
class Iterator {
 public:
  Iterator() = default;
  Iterator(const Iterator&) = default;
  Iterator& operator=(const Iterator&) = default;
  virtual ~Iterator() = default;

  /// The next minibatch; nothing when the data set was to be visited once and has been.
  virtual std::optional<Minibatch> next() = 0;

  /// True when `next()` begins again after the last example instead of returning nothing.
  virtual bool repeats() const { return false; }
  /// How many times all examples have been handed out.
  virtual std::int64_t epoch() const = 0;
  /// True when the last minibatch completed an epoch.
  virtual bool is_new_epoch() const = 0;
  /// `epoch()` with the part of the current one that is done.
  virtual double epoch_detail() const = 0;
  /// `epoch_detail()` before the last minibatch; nothing before the first one.
  virtual std::optional<double> previous_epoch_detail() const = 0;

  /// Goes back to the state after construction.
  virtual void reset() = 0;
  /// Ends threads, if there are any.
  virtual void finalize() {}
  virtual void serialize(Serializer&) {}
};

}  // namespace dnn::inline DNN_ABI
