/// Changing a hyperparameter of an optimizer from call to call.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct ShiftOptions {
  std::optional<double> init = std::nullopt;    ///< the value to start from; the optimizer's if not given
  std::optional<double> target = std::nullopt;  ///< the value at which it stays once it is reached
  Optimizer* optimizer = nullptr;               ///< the main one if null
};

/// The base of the extensions here. The attribute is the name of a hyperparameter, "lr" or "alpha". They count their
/// own calls, t, so the unit is that of the trigger: every iteration by default, `trainer.extend(ExponentialShift{"lr",
/// 0.5}, {.trigger = {1, "epoch"}})` every epoch. Snapshots hold t and the value, which is set again when the training
/// goes on.
class ValueShift : public Extension {
 public:
  void initialize(Trainer& trainer) override {
    double& attribute = attribute_of(trainer);
    if (!init_) init_ = attribute;
    set(attribute, last_value_ ? *last_value_ : value(t_));
  }
  void operator()(Trainer& trainer) override {
    ++t_;
    set(attribute_of(trainer), value(t_));
  }
  void serialize(Serializer& s) override {
    s("_t", t_);
    s("_last_value", last_value_);
  }

 protected:
  ValueShift(std::string attribute, std::optional<double> init, Optimizer* optimizer)
      : attribute_(std::move(attribute)), init_(init), optimizer_(optimizer) {}

  /// The value after t calls.
  virtual double value(std::int64_t t) const = 0;
  double init() const { return *init_; }

  double& attribute_of(Trainer& trainer) const {
    return (optimizer_ ? *optimizer_ : trainer.updater().optimizer()).hyperparameter(attribute_);
  }
  std::int64_t t_ = 0;

 private:
  void set(double& attribute, double value) {
    attribute = value;
    last_value_ = value;
  }

  std::string attribute_;
  std::optional<double> init_;
  Optimizer* optimizer_;
  std::optional<double> last_value_;
};

/// The base of those that multiply: init * factor(t), until that reaches the target.
class FactorShift : public ValueShift {
 protected:
  /// `grows`: whether factors get larger with t.
  FactorShift(std::string attribute, const ShiftOptions& options, bool grows)
      : ValueShift(std::move(attribute), options.init, options.optimizer), target_(options.target), grows_(grows) {}

  virtual double factor(double t) const = 0;

  double value(std::int64_t t) const final {
    if (t == 0) return init();
    const double value = init() * factor(static_cast<double>(t));
    if (!target_) return value;
    const double ratio = value / *target_;  // right for negative values too
    return (grows_ ? ratio > 1 : ratio < 1) ? *target_ : value;
  }

 private:
  std::optional<double> target_;
  bool grows_;
};

/// init * rate^t. Throws ArgumentError for a negative rate.
class ExponentialShift : public FactorShift {
 public:
  ExponentialShift(std::string attribute, double rate, const ShiftOptions& options = {})
      : FactorShift(std::move(attribute), options, rate > 1), rate_(rate) {
    if (rate < 0) throw ArgumentError("[ExponentialShift] rate >= 0 does not hold: ", rate, " < 0");
  }
  std::string default_name() const override { return "ExponentialShift"; }

 protected:
  double factor(double t) const override { return std::pow(rate_, t); }

 private:
  double rate_;
};

/// init * gamma^floor(t / step). Throws ArgumentError for a step that is not positive.
class StepShift : public FactorShift {
 public:
  StepShift(std::string attribute, double gamma, double step, const ShiftOptions& options = {})
      : FactorShift(std::move(attribute), options, gamma > 1), gamma_(gamma), step_(step) {
    if (!(step > 0)) throw ArgumentError("[StepShift] step > 0 does not hold: ", step, " <= 0");
  }
  std::string default_name() const override { return "StepShift"; }

 protected:
  double factor(double t) const override { return std::pow(gamma_, std::floor(t / step_)); }

 private:
  double gamma_, step_;
};

/// init * (1 + gamma t)^-power. Throws ArgumentError for a negative gamma.
class InverseShift : public FactorShift {
 public:
  InverseShift(std::string attribute, double gamma, double power, const ShiftOptions& options = {})
      : FactorShift(std::move(attribute), options, power < 0), gamma_(gamma), power_(power) {
    if (gamma < 0) throw ArgumentError("[InverseShift] gamma >= 0 does not hold: ", gamma, " < 0");
  }
  std::string default_name() const override { return "InverseShift"; }

 protected:
  double factor(double t) const override { return std::pow(1 + gamma_ * t, -power_); }

 private:
  double gamma_, power_;
};

/// init * max(1 - t / max_count, 0)^rate. Throws ArgumentError for a max_count that is not positive.
class PolynomialShift : public FactorShift {
 public:
  PolynomialShift(std::string attribute, double rate, double max_count, const ShiftOptions& options = {})
      : FactorShift(std::move(attribute), options, rate <= 0), rate_(rate), max_count_(max_count) {
    if (!(max_count > 0)) throw ArgumentError("[PolynomialShift] max_count > 0 does not hold: ", max_count, " <= 0");
  }
  std::string default_name() const override { return "PolynomialShift"; }

 protected:
  double factor(double t) const override { return std::pow(std::max(1 - t / max_count_, 0.0), rate_); }

 private:
  double rate_, max_count_;
};

/// From the first value to the second while t goes from the first time to the second; constant before and after.
class LinearShift : public ValueShift {
 public:
  LinearShift(std::string attribute, std::pair<double, double> value_range, std::pair<double, double> time_range,
              Optimizer* optimizer = nullptr)
      : ValueShift(std::move(attribute), std::nullopt, optimizer), values_(value_range), times_(time_range) {}
  std::string default_name() const override { return "LinearShift"; }

 protected:
  double value(std::int64_t t) const override {
    const auto now = static_cast<double>(t);
    if (now <= times_.first) return values_.first;
    if (now >= times_.second) return values_.second;
    return values_.first + (now - times_.first) / (times_.second - times_.first) * (values_.second - values_.first);
  }

 private:
  std::pair<double, double> values_, times_;
};

/// init * gamma^k, where k is the number of the (ascending) steps that t has reached; at most one more per call.
class MultistepShift : public ValueShift {
 public:
  MultistepShift(std::string attribute, double gamma, std::vector<std::int64_t> steps,
                 std::optional<double> init = std::nullopt, Optimizer* optimizer = nullptr)
      : ValueShift(std::move(attribute), init, optimizer), gamma_(gamma), steps_(std::move(steps)) {}
  std::string default_name() const override { return "MultistepShift"; }

  void operator()(Trainer& trainer) override {
    const auto current = static_cast<std::size_t>(current_step_);
    if (current < steps_.size() && t_ + 1 >= steps_[current]) ++current_step_;
    ValueShift::operator()(trainer);
  }
  void serialize(Serializer& s) override {
    s("_t", t_);
    s("_current_step", current_step_);
  }

 protected:
  double value(std::int64_t) const override { return init() * std::pow(gamma_, static_cast<double>(current_step_)); }

 private:
  double gamma_;
  std::vector<std::int64_t> steps_;
  std::int64_t current_step_ = 0;
};

/// From `warmup_start` (the optimizer's value if not given) linearly to `init` in `warmup_count` calls; then it leaves
/// the hyperparameter alone.
class WarmupShift : public ValueShift {
 public:
  WarmupShift(std::string attribute, std::optional<double> warmup_start, std::int64_t warmup_count, double init,
              Optimizer* optimizer = nullptr)
      : ValueShift(std::move(attribute), warmup_start, optimizer), count_(warmup_count), end_(init) {}
  std::string default_name() const override { return "WarmupShift"; }

  void operator()(Trainer& trainer) override {
    if (t_ < count_) ValueShift::operator()(trainer);
    else ++t_;
  }
  void serialize(Serializer& s) override { s("_t", t_); }

 protected:
  double value(std::int64_t t) const override {
    const auto done = static_cast<double>(std::min(t, count_)), count = static_cast<double>(count_);
    return (done * end_ + (count - done) * init()) / count;
  }

 private:
  std::int64_t count_;
  double end_;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
