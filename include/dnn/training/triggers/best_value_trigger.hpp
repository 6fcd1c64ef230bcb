/// When an observed value is the best so far.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "dnn/training/summary.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::triggers {

/// Collects the value `key` and, whenever `trigger` fires, compares its mean since the last time with the best one:
/// fires when `is_better(value, best)`, and the first time. Throws ArgumentError when the value was not observed at
/// all.
class BestValueTrigger {
 public:
  using Compare = std::function<bool(double value, double best)>;

  BestValueTrigger(std::string key, Compare is_better, Trigger trigger = {1, "epoch"})
      : key_(std::move(key)), is_better_(std::move(is_better)), interval_trigger_(std::move(trigger)) {}

  bool operator()(Trainer& trainer) {
    if (const auto* value = trainer.observation().find(key_); value && value->is_scalar()) {
      summary_.add(key_, value->number(), value->weight());
    }
    if (!interval_trigger_(trainer)) return false;
    if (summary_.empty()) throw ArgumentError("[BestValueTrigger] nothing was observed as '", key_, "'");
    const double value = summary_.compute_mean()[0].second;
    summary_.clear();
    if (best_value_ && !is_better_(value, *best_value_)) return false;
    best_value_ = value;
    return true;
  }
  /// Nothing before the first.
  std::optional<double> best_value() const noexcept { return best_value_; }
  void serialize(Serializer& s) {
    s("interval_trigger", interval_trigger_);
    s("summary", summary_);
    s("best_value", best_value_);
  }

 private:
  std::string key_;
  Compare is_better_;
  Trigger interval_trigger_;
  DictSummary summary_;
  std::optional<double> best_value_;
};

class MaxValueTrigger : public BestValueTrigger {
 public:
  explicit MaxValueTrigger(std::string key, Trigger trigger = {1, "epoch"})
      : BestValueTrigger(std::move(key), std::greater<>{}, std::move(trigger)) {}
};

class MinValueTrigger : public BestValueTrigger {
 public:
  explicit MinValueTrigger(std::string key, Trigger trigger = {1, "epoch"})
      : BestValueTrigger(std::move(key), std::less<>{}, std::move(trigger)) {}
};

}  // namespace dnn::inline DNN_ABI::training::triggers
