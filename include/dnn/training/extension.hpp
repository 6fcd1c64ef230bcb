/// The interface of extensions: what a training does besides updating parameters.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "dnn/autograd/serializer.hpp"
#include "dnn/training/trigger.hpp"

namespace dnn::inline DNN_ABI::training {

/// Extensions run in the order of falling priority: those that report values, those that change what was reported,
/// those that read it.
inline constexpr int priority_writer = 300, priority_editor = 200, priority_reader = 100;

/// Called by the Trainer after an iteration whenever its trigger fires. Everything but `operator()` has a default.
/// A lambda is an extension too, see `Trainer::extend`.
class Extension {
 public:
  Extension() = default;
  Extension(const Extension&) = default;
  Extension(Extension&&) = default;
  Extension& operator=(const Extension&) = default;
  Extension& operator=(Extension&&) = default;
  virtual ~Extension() = default;

  virtual void operator()(Trainer& trainer) = 0;

  /// What holds unless `Trainer::extend` is told otherwise. No trigger is every iteration.
  virtual std::string default_name() const = 0;
  virtual Trigger default_trigger() const { return {}; }
  virtual int default_priority() const { return priority_reader; }

  /// Called at the start of the run before any `initialize`: the place to load a snapshot.
  virtual void restore(Trainer&) {}
  /// Called at the start of the run, before the first iteration.
  virtual void initialize(Trainer&) {}
  /// Called at the end of the run, however it ended.
  virtual void finalize() {}
  /// Called when an iteration threw, before `finalize`. What this throws itself is printed and dropped.
  virtual void on_error(Trainer&, const std::exception&) {}
  /// Called when the user interrupts the run (SIGINT), after the iteration: the place to save what would be lost.
  virtual void on_interrupt(Trainer&) {}
  virtual void serialize(Serializer&) {}

  /// The name in the trainer; the default name until it is in one.
  std::string name() const { return name_.empty() ? default_name() : name_; }
  void set_name(std::string name) { name_ = std::move(name); }

 private:
  std::string name_;
};

namespace detail {

/// Anything that can be called with a Trainer, as an extension.
template <class F>
class FunctionExtension final : public Extension {
 public:
  explicit FunctionExtension(F function) : function_(std::move(function)) {}
  void operator()(Trainer& trainer) override { function_(trainer); }
  std::string default_name() const override { return {}; }
  void initialize(Trainer& trainer) override {
    if constexpr (requires { function_.initialize(trainer); }) function_.initialize(trainer);
  }
  void finalize() override {
    if constexpr (requires { function_.finalize(); }) function_.finalize();
  }
  void on_error(Trainer& trainer, const std::exception& error) override {
    if constexpr (requires { function_.on_error(trainer, error); }) function_.on_error(trainer, error);
  }
  void serialize(Serializer& s) override {
    if constexpr (Serializable<F>) function_.serialize(s);
  }

 private:
  F function_;
};

}  // namespace detail

}  // namespace dnn::inline DNN_ABI::training
