/// Every so many seconds.
#pragma once

#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::triggers {

/// Fires once for every `period` seconds of the training's elapsed time that have passed, at most once per iteration.
class TimeTrigger {
 public:
  explicit TimeTrigger(double period) : period_(period), next_time_(period) {
    if (!(period > 0)) throw ArgumentError("[TimeTrigger] period > 0 does not hold: ", period, " <= 0");
  }

  bool operator()(Trainer& trainer) {
    if (!(next_time_ < trainer.elapsed_time())) return false;
    next_time_ += period_;
    return true;
  }
  void serialize(Serializer& s) { s("next_time", next_time_); }

 private:
  double period_, next_time_;
};

}  // namespace dnn::inline DNN_ABI::training::triggers
