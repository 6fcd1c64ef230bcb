/// Stopping when a value no longer gets better.
#pragma once

#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/expect.hpp"
#include "dnn/training/summary.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::triggers {

struct EarlyStoppingOptions {
  Trigger check_trigger = {1, "epoch"};
  std::string monitor = "main/loss";     ///< the observed value
  int patience = 3;                      ///< checks in a row without a better value that stop the training
  std::string mode = "auto";             ///< "max", "min", or "auto": max if the key contains "accuracy"
  bool verbose = false;                  ///< says so on stderr
  Trigger max_trigger = {100, "epoch"};  ///< stops the training in any case
};

/// A stop trigger: `Trainer{updater, triggers::EarlyStoppingTrigger{{.monitor = "validation/main/loss"}}}`. Compares
/// the mean of the value since the last check with the best one. A check at which the value is not observed does not
/// count. Its state is not in snapshots. Throws ArgumentError for another mode and for a patience below 1.
class EarlyStoppingTrigger {
 public:
  explicit EarlyStoppingTrigger(EarlyStoppingOptions options = {}) : options_(std::move(options)) {
    const auto& mode = options_.mode;
    if (mode != "auto" && mode != "max" && mode != "min") {
      throw ArgumentError("[EarlyStoppingTrigger] the mode is \"auto\", \"max\" or \"min\", not \"", mode, "\"");
    }
    DNN_EXPECT("EarlyStoppingTrigger", options_.patience >= 1);
    maximize_ = mode == "max" || (mode == "auto" && options_.monitor.find("accuracy") != std::string::npos);
    best_ = maximize_ ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }

  bool operator()(Trainer& trainer) {
    const auto* observed = trainer.observation().find(options_.monitor);
    if (observed && observed->is_scalar()) summary_.add(observed->number(), observed->weight());
    if (options_.max_trigger(trainer)) return true;
    if (!options_.check_trigger(trainer)) return false;
    if (!observed) {
      std::fprintf(stderr, "[EarlyStoppingTrigger] %s is not in the observation\n", options_.monitor.c_str());
      return false;
    }
    const double value = summary_.mean();
    summary_ = {};
    if (maximize_ ? value > best_ : value < best_) {
      best_ = value;
      count_ = 0;
    } else {
      ++count_;
    }
    if (count_ < options_.patience) return false;
    if (options_.verbose)
      std::fprintf(stderr, "Epoch %s: early stopping\n", to_text(trainer.updater().epoch()).c_str());
    return true;
  }
  std::optional<TrainingLength> training_length() const { return options_.max_trigger.training_length(); }
  double best() const noexcept { return best_; }

 private:
  EarlyStoppingOptions options_;
  bool maximize_;
  double best_;
  int count_ = 0;
  Summary summary_;
};

}  // namespace dnn::inline DNN_ABI::training::triggers
