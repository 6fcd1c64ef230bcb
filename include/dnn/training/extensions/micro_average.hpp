/// The quotient of two sums.
#pragma once

#include <string>
#include <utility>

#include "dnn/autograd/reporter.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

/// Adds up two observed values and, whenever `trigger` fires, reports the quotient of the sums as `result_key`: an
/// accuracy over all examples, for example, from the numbers of correct ones and of all in each batch.
class MicroAverage : public Extension {
 public:
  MicroAverage(std::string numerator_key, std::string denominator_key, std::string result_key,
               Trigger trigger = {1, "epoch"})
      : numerator_key_(std::move(numerator_key)),
        denominator_key_(std::move(denominator_key)),
        result_key_(std::move(result_key)),
        trigger_(std::move(trigger)) {}

  std::string default_name() const override { return "MicroAverage"; }
  int default_priority() const override { return priority_editor; }

  void operator()(Trainer& trainer) override {
    const auto *numerator = trainer.observation().find(numerator_key_),
               *denominator = trainer.observation().find(denominator_key_);
    if (!numerator || !denominator) return;
    numerator_ += numerator->number();
    denominator_ += denominator->number();
    if (!trigger_(trainer)) return;
    const double result = std::exchange(numerator_, 0) / std::exchange(denominator_, 0);
    report({{result_key_, result}});
  }
  void serialize(Serializer& s) override {
    s("_numerator", numerator_);
    s("_denominator", denominator_);
  }

 private:
  std::string numerator_key_, denominator_key_, result_key_;
  Trigger trigger_;
  double numerator_ = 0, denominator_ = 0;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
