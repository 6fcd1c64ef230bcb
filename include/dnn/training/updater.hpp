/// The interface of updaters: what one iteration of a training is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/autograd/serializer.hpp"
#include "dnn/core/error.hpp"
#include "dnn/optimizers/optimizer.hpp"

namespace dnn::inline DNN_ABI::training {

/// What a Trainer drives. `StandardUpdater` is the usual one; derive from that to override `update_core`, from this to
/// start anew.
class Updater {
 public:
  Updater() = default;
  Updater(const Updater&) = delete;
  Updater& operator=(const Updater&) = delete;
  virtual ~Updater() = default;

  /// Updates the parameters once and counts that.
  virtual void update() = 0;

  /// How many updates there were.
  virtual std::int64_t iteration() const = 0;
  /// How often the training data was seen as a whole, and the same with the part of the current pass.
  virtual std::int64_t epoch() const = 0;
  virtual double epoch_detail() const = 0;
  /// `epoch_detail()` before the last update; nothing before the first.
  virtual std::optional<double> previous_epoch_detail() const = 0;
  /// True when the last update completed an epoch.
  virtual bool is_new_epoch() const = 0;

  /// The optimizers by name; the most important one is `main`.
  virtual std::vector<std::pair<std::string, Optimizer*>> optimizers() const { return {}; }
  /// Throws ArgumentError when there is none of that name.
  Optimizer& optimizer(std::string_view name = "main") const {
    for (const auto& [known, optimizer] : optimizers()) {
      if (known == name) return *optimizer;
    }
    throw ArgumentError("[updater] there is no optimizer '", name, "'");
  }

  /// Called at the end of the training: ends the threads of iterators.
  virtual void finalize() {}
  virtual void serialize(Serializer& s) = 0;
};

}  // namespace dnn::inline DNN_ABI::training
