/// Observing values that no model reports.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

/// Puts a value into the observation, every epoch by default. Made by `observe_value` and `observe_lr`.
class ObserveValue : public Extension {
 public:
  using Function = std::function<ReportedValue(Trainer&)>;

  ObserveValue(std::string key, Function function) : key_(std::move(key)), function_(std::move(function)) {}

  std::string default_name() const override { return "_observe_value"; }
  Trigger default_trigger() const override { return {1, "epoch"}; }
  int default_priority() const override { return priority_writer; }

  void operator()(Trainer& trainer) override { trainer.observation().set(key_, function_(trainer)); }

 private:
  std::string key_;
  Function function_;
};

/// `observe_value("norm", [](Trainer& trainer) { return ...; })`.
inline ObserveValue observe_value(std::string key, ObserveValue::Function function) {
  return {std::move(key), std::move(function)};
}

/// The learning rate of an optimizer; for Adam the effective one of the last update.
inline ObserveValue observe_lr(std::string optimizer_name = "main", std::string key = "lr") {
  return {std::move(key), [name = std::move(optimizer_name)](Trainer& trainer) -> ReportedValue {
            return trainer.updater().optimizer(name).lr();
          }};
}

}  // namespace dnn::inline DNN_ABI::training::extensions
