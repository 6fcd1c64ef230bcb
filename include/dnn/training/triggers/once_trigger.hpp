/// Once.
#pragma once

#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::triggers {

/// Fires when it is asked the first time; with `call_on_resume` also the first time after a resume.
class OnceTrigger {
 public:
  explicit OnceTrigger(bool call_on_resume = false) noexcept : resumed_(call_on_resume) {}

  bool operator()(Trainer&) {
    const bool fires = !finished();
    first_ = resumed_ = false;
    return fires;
  }
  bool finished() const noexcept { return !first_ && !resumed_; }
  void serialize(Serializer& s) { s("_flag_first", first_); }

 private:
  bool first_ = true;
  bool resumed_;
};

}  // namespace dnn::inline DNN_ABI::training::triggers
