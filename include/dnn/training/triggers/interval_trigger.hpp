/// Every so many iterations or epochs.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::triggers {

namespace detail {

/// Where a training was when a trigger was last asked. A snapshot may lack it: the last iteration is assumed then.
struct Progress {
  std::int64_t iteration = 0;
  double epoch_detail = 0;

  /// Returns what it was and remembers what it is now.
  Progress exchange(const Trainer& trainer) {
    const Updater& updater = trainer.updater();
    Progress previous = std::exchange(*this, {updater.iteration(), updater.epoch_detail()});
    if (previous.iteration < 0) previous.iteration = iteration - 1;
    if (previous.epoch_detail < 0) previous.epoch_detail = updater.previous_epoch_detail().value_or(0);
    return previous;
  }
  double in(std::string_view unit) const { return unit == "epoch" ? epoch_detail : static_cast<double>(iteration); }

  void serialize(Serializer& s) {
    const auto value_or_unknown = [&s](std::string_view key, auto& value) {
      try {
        s(key, value);
      } catch (const SerializationError&) {
        if (!s.is_loading()) throw;
        value = -1;
      }
    };
    value_or_unknown("previous_iteration", iteration);
    value_or_unknown("previous_epoch_detail", epoch_detail);
  }
};

/// Python's `value // period`. Not the same as the quotient rounded down: 1.0 // 0.1 is 9.
inline double whole_periods(double value, double period) {
  return std::round((value - std::fmod(value, period)) / period);
}

/// Throws ArgumentError unless `unit` is "epoch" or "iteration".
inline void expect_unit(std::string_view trigger, std::string_view unit) {
  if (unit != "epoch" && unit != "iteration") {
    throw ArgumentError("[", trigger, "] the unit is \"epoch\" or \"iteration\", not \"", unit, "\"");
  }
}

}  // namespace detail

/// Fires when a multiple of `period` was reached or passed since it was asked last. Periods of epochs may be fractions.
/// Written `{period, unit}` where a Trigger is wanted. Throws ArgumentError for another unit and for a period <= 0.
class IntervalTrigger {
 public:
  IntervalTrigger(double period, std::string_view unit) : period_(period), unit_(unit) {
    detail::expect_unit("IntervalTrigger", unit);
    if (!(period > 0)) throw ArgumentError("[IntervalTrigger] period > 0 does not hold: ", period, " <= 0");
  }

  bool operator()(Trainer& trainer) {
    const auto previous = previous_.exchange(trainer).in(unit_), now = previous_.in(unit_);
    return detail::whole_periods(previous, period_) != detail::whole_periods(now, period_);
  }
  std::optional<TrainingLength> training_length() const { return TrainingLength{period_, unit_}; }
  void serialize(Serializer& s) { previous_.serialize(s); }

 private:
  double period_;
  std::string unit_;
  detail::Progress previous_;
};

}  // namespace dnn::inline DNN_ABI::training::triggers

namespace dnn::inline DNN_ABI::training {

inline Trigger Trigger::interval(double period, std::string_view unit) {
  return triggers::IntervalTrigger(period, unit);
}

}  // namespace dnn::inline DNN_ABI::training
