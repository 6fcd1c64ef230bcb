/// When something happens in a training: an extension is called, the training stops.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/autograd/serializer.hpp"

namespace dnn::inline DNN_ABI::training {

class Trainer;

/// How long a training is meant to be: `{20, "epoch"}`.
struct TrainingLength {
  double period;
  std::string unit;
};

/// A value that holds any trigger: `{1, "epoch"}` and `{100, "iteration"}` are interval triggers, and every callable
/// `bool(Trainer&)` is one. It is asked once per iteration. A callable may have more:
///
///  * `void serialize(Serializer&)`: its state is in snapshots,
///  * `bool finished() const`: true when it will not fire again,
///  * `std::optional<TrainingLength> training_length() const`: for progress bars, when it stops the training.
///
/// Copies share the state. Default constructed it never fires.
class Trigger {
 public:
  Trigger() = default;
  /// `triggers::IntervalTrigger(period, unit)`. Throws ArgumentError as it does.
  template <class Period>
    requires(std::is_arithmetic_v<Period>)
  Trigger(Period period, std::string_view unit) : Trigger(interval(static_cast<double>(period), unit)) {}
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, Trigger> &&
             std::is_invocable_r_v<bool, std::remove_cvref_t<T>&, Trainer&>)
  Trigger(T&& trigger) : held_(std::make_shared<Holder<std::remove_cvref_t<T>>>(std::forward<T>(trigger))) {}

  /// False for a trigger that was not given.
  explicit operator bool() const noexcept { return held_ != nullptr; }
  bool operator()(Trainer& trainer) { return held_ && held_->fires(trainer); }
  bool finished() const { return held_ && held_->finished(); }
  std::optional<TrainingLength> training_length() const { return held_ ? held_->training_length() : std::nullopt; }
  void serialize(Serializer& s) {
    if (held_) held_->serialize(s);
  }

 private:
  struct Held {
    virtual ~Held() = default;
    virtual bool fires(Trainer&) = 0;
    virtual bool finished() const = 0;
    virtual std::optional<TrainingLength> training_length() const = 0;
    virtual void serialize(Serializer&) = 0;
  };
  template <class T>
  struct Holder final : Held {
    explicit Holder(T value) : trigger(std::move(value)) {}
    bool fires(Trainer& trainer) override { return trigger(trainer); }
    bool finished() const override {
      if constexpr (requires { bool(trigger.finished()); }) return trigger.finished();
      return false;
    }
    std::optional<TrainingLength> training_length() const override {
      if constexpr (requires { trigger.training_length(); }) return trigger.training_length();
      return std::nullopt;
    }
    void serialize(Serializer& s) override {
      if constexpr (Serializable<T>) trigger.serialize(s);
    }
    T trigger;
  };
  // Defined where IntervalTrigger is; whoever has a Trainer has it.
  static Trigger interval(double period, std::string_view unit);

  std::shared_ptr<Held> held_;
};

}  // namespace dnn::inline DNN_ABI::training
