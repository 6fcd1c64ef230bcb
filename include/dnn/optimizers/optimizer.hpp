/// `Optimizer`: what all optimizers share: the parameters of a model, their states, hooks, counting, saving.
///
///     optimizers::Adam optimizer{{.alpha = 1e-3}};
///     optimizer.setup(model);
///     optimizer.add_hook(optimizer_hooks::WeightDecay{1e-4});
///     optimizer.update(loss_of, x, t);      // forward, clear the gradients, backward, update
///
/// The model outlives the optimizer and is not moved. Parameters that are uninitialised at `setup` are updated once
/// they are initialised; parameters added later are not.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/autograd/serializer.hpp"
#include "dnn/core/config.hpp"
#include "dnn/core/error.hpp"
#include "dnn/kernels/update.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI {

/// When a hook runs: before the updates or after them.
enum class HookTiming { pre, post };

struct HookOptions {
  std::string name = {};                            ///< default: the hook's own `name`
  std::optional<HookTiming> timing = std::nullopt;  ///< default: the hook's own `timing`, or pre
};

namespace detail {

/// Hooks by name, in the order in which they were added. A hook may add and remove hooks: what it adds runs from the
/// next call on, what it removes does not run any more.
template <class... Args>
class HookList {
 public:
  using Function = std::function<void(Args...)>;

  template <class Hook>
  void add(const Hook& hook, Function function, HookOptions options) {
    if constexpr (requires { options.name = hook.name; }) {
      if (options.name.empty()) options.name = hook.name;
    }
    if constexpr (requires { options.timing = hook.timing; }) {
      if (!options.timing) options.timing = hook.timing;
    }
    if (options.name.empty()) throw ArgumentError("[add_hook] the hook has no name: give it one with {.name = ...}");
    if (find(options.name) < hooks_.size()) {
      throw ArgumentError("[add_hook] there is a hook '", options.name, "' already");
    }
    hooks_.push_back(make_ref<Entry>(
        std::move(options.name), options.timing.value_or(HookTiming::pre), requires { requires Hook::recordable; },
        std::move(function)));
  }
  void remove(std::string_view name) {
    auto i = find(name);
    if (i == hooks_.size()) throw ArgumentError("[remove_hook] there is no hook '", name, "'");
    hooks_[i]->removed = true;
    for (; i + 1 < hooks_.size(); ++i) hooks_[i] = hooks_[i + 1];
    hooks_.pop_back();
  }
  void clear() noexcept {
    for (const auto& hook : hooks_) hook->removed = true;
    hooks_.clear();
  }
  bool empty() const noexcept { return hooks_.empty(); }
  /// Whether all do the same in every update: `Hook::recordable`.
  bool recordable() const noexcept {
    return std::all_of(hooks_.begin(), hooks_.end(), [](const auto& hook) { return hook->recordable; });
  }
  /// Whether both hold the very same hooks.
  bool same(const HookList& other) const noexcept {
    return std::equal(hooks_.begin(), hooks_.end(), other.hooks_.begin(), other.hooks_.end());
  }
  void call(HookTiming timing, Args... args) const {
    const auto hooks = hooks_;
    for (const auto& hook : hooks) {
      if (hook->timing == timing && !hook->removed) hook->function(args...);
    }
  }

 private:
  struct Entry : RefCounted {
    Entry(std::string name_, HookTiming timing_, bool recordable_, Function function_)
        : name(std::move(name_)), timing(timing_), recordable(recordable_), function(std::move(function_)) {}

    std::string name;
    HookTiming timing;
    bool recordable;
    Function function;
    bool removed = false;
  };
  /// The number of hooks when there is none of that name.
  std::size_t find(std::string_view name) const {
    std::size_t i = 0;
    while (i < hooks_.size() && hooks_[i]->name != name) ++i;
    return i;
  }

  SmallVector<Ref<Entry>, 2> hooks_;
};

}  // namespace detail

/// An array that an optimizer keeps beside a parameter, and what it starts with.
struct OptimizerState {
  std::string_view name;
  double initial = 0;
  Array array = {};
};
using OptimizerStates = SmallVector<OptimizerState, 3>;

class UpdateRule;

namespace training::detail {
class RecordedUpdate;  // training/captured_step.hpp
}

namespace detail {
template <class Hook>
concept BatchedHook = std::invocable<Hook&, UpdateRule&, Parameter&, kernels::UpdateBatch&>;
template <class Hook>
inline constexpr bool is_parameter_hook = BatchedHook<Hook> || std::invocable<Hook&, UpdateRule&, Parameter&>;

template <class Hook>
void call_parameter_hook(Hook& hook, UpdateRule& rule, Parameter& parameter, kernels::UpdateBatch& batch) {
  if constexpr (BatchedHook<Hook>) hook(rule, parameter, batch);
  else hook(rule, parameter);
}
}  // namespace detail

/// What an optimizer knows of one parameter.
class UpdateRule {
 public:
  UpdateRule(std::string path, Parameter parameter) : path_(std::move(path)), parameter_(std::move(parameter)) {}

  /// `/predictor/l1/W`.
  const std::string& path() const noexcept { return path_; }
  /// What is updated: the model's parameter, or its copy in float32 (`Optimizer::use_fp32_update`).
  Parameter& parameter() noexcept { return wide_ ? *wide_ : parameter_; }
  const Parameter& parameter() const noexcept { return wide_ ? *wide_ : parameter_; }
  /// Updates of this parameter. Frozen ones (`Parameter::set_update_enabled`, `Link::disable_update`) do not count.
  std::int64_t t() const noexcept { return t_; }
  /// The state called `name`; undefined before the first update. Throws ArgumentError when the optimizer has none.
  const Array& state(std::string_view name) const {
    for (const auto& state : states_) {
      if (state.name == name) return state.array;
    }
    throw ArgumentError("[optimizer] ", path_, " has no state '", name, "'");
  }

  /// Gives this parameter a hyperparameter of its own; the others stay the optimizer's.
  void set_hyperparameter(std::string_view name, double value) {
    for (auto& own : overrides_) {
      if (own.first == name) {
        own.second = value;
        return;
      }
    }
    overrides_.emplace_back(name, value);
  }

  /// A hook for this parameter alone, of the second or third kind (`Optimizer::add_hook`).
  template <class Hook>
    requires(detail::is_parameter_hook<Hook>)
  void add_hook(Hook hook, HookOptions options = {}) {
    const Hook& named = hook;
    hooks_.add(
        named,
        [hook](UpdateRule& rule, Parameter& parameter) mutable {
          kernels::UpdateBatch batch;
          detail::call_parameter_hook(hook, rule, parameter, batch);
          batch.flush();
        },
        std::move(options));
  }
  void remove_hook(std::string_view name) { hooks_.remove(name); }

 private:
  friend class Optimizer;
  friend class training::detail::RecordedUpdate;

  std::string path_;
  Parameter parameter_;
  std::optional<Parameter> wide_;
  std::int64_t t_ = 0;
  OptimizerStates states_;
  std::vector<std::pair<std::string, double>> overrides_;
  detail::HookList<UpdateRule&, Parameter&> hooks_;
};

/// The gradient of `parameter`, to be changed in place: copied first where somebody else holds it too.
inline Array mutable_gradient(Parameter& parameter) {
  const Ref<VariableNode>& node = parameter.node();
  Variable gradient = std::exchange(node->grad, Variable{});
  if (!gradient.body()->unique() || !gradient.array().unique()) gradient = Variable(gradient.array().copy());
  node->grad = gradient;
  return gradient.array();
}

namespace detail {
/// The elements of an optimizer's `loss_scale_`.
struct LossScale {
  enum : std::int64_t { scale, inverse, skip, was_too_large };
};
}  // namespace detail

struct LossScalingOptions {
  std::int64_t interval = 1000;                ///< updates in which the scale doubles, once it has been too large
  std::optional<double> scale = std::nullopt;  ///< a fixed scale instead
};

class Optimizer {
 public:
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// Takes over the parameters of `target`, and names them by their paths for messages. Starts counting at 0, without
  /// states and hooks.
  Optimizer& setup(SerializableRef target) {
    target_ = target;
    rules_.clear();
    hooks_.clear();
    t_ = epoch_ = 0;
    loss_scale_ = {};
    for (auto& [name, parameter] : detail::namedparams(target)) {
      parameter.set_name(name);
      rules_.push_back(std::make_unique<UpdateRule>(name, parameter));
      rules_.back()->states_ = initial_states();
    }
    on_setup();
    return *this;
  }
  bool is_set_up() const noexcept { return target_.has_value(); }
  /// The model. Throws ArgumentError before `setup`.
  const SerializableRef& target() const {
    if (!target_) throw ArgumentError("[optimizer] call setup(model) first");
    return *target_;
  }

  /// Updates all parameters by the gradients they have: hooks, one pass over each parameter, hooks. A parameter without
  /// gradient is updated as if it were zero.
  void update() {
    (void)target();
    const auto mode = no_backprop_mode();
    fill_missing_gradients();
    if (precision_.take_gradients) precision_.take_gradients(*this);
    hooks_.call(HookTiming::pre, *this);
    ++t_;
    kernels::UpdateBatch batch;
#if DNN_CUDA
    batch.recorded = recorded_;
#endif
    if (loss_scale_.defined()) batch.skip = loss_scale_.data<double>() + detail::LossScale::skip;
    for (auto& rule : rules_) {
      if (!rule->parameter_.update_enabled()) continue;
      ++rule->t_;
      Parameter& parameter = rule->parameter();
      if (!parameter.is_initialized()) continue;
      const UsingDevice here(parameter.array().device());
      prepare_states(*rule);
      const bool hooked = !rule->hooks_.empty();
      if (hooked) batch.flush();
      rule->hooks_.call(HookTiming::pre, *rule, parameter);
      if (parameter.node()->grad.defined()) update_parameter(*rule, batch);  // a hook may have cleared it
      if (hooked) batch.flush();
      rule->hooks_.call(HookTiming::post, *rule, parameter);
    }
    batch.flush();
    fill_missing_gradients();
    hooks_.call(HookTiming::post, *this);
    if (precision_.give_back) precision_.give_back(*this);
  }
  /// loss = lossfun(args...), THEN clears the gradients, backward, update().
  template <class LossFunction, class... Args>
    requires(std::invocable<LossFunction&, const Args&...>)
  void update(LossFunction&& lossfun, const Args&... args) {
    backward(lossfun(args...));
    update();
  }
  /// Clears the gradients, then backward; from the scaled loss where there is `loss_scaling`. The graph is gone
  /// afterwards unless the caller holds it too.
  void backward(Variable loss) {
    for (auto& rule : rules_) rule->parameter_.cleargrad();
    if (loss_scaling_) start_with_scale(loss);
    loss.backward();
    loss = Variable{};
    if (loss_scaling_) precision_.judge(*this);
  }

  /// Mixed precision: parameters of 16 bits are updated through a copy in float32, which takes the gradient, the hooks
  /// and the states; then they are what it rounds to. The copy is saved as `<path>/fp32`.
  template <class = void>
  void use_fp32_update(bool use = true);
  /// Multiplies losses before `backward`, and the gradients by the inverse before the update, so that small gradients
  /// do not vanish in float16. Where a gradient is not finite, the update leaves parameters and states as they are, but
  /// counts. Without a fixed `scale` it starts at 1, doubles with every update until a gradient is not finite, then is
  /// halved each time that happens and grows slowly otherwise; it stays between 1 and 65504. The GPU decides for
  /// itself: nobody waits. Gradients must come from `update(lossfun, ...)` or `Optimizer::backward`.
  template <class = void>
  void loss_scaling(const LossScalingOptions& options = {});
  /// What the next loss is multiplied by: 1 without `loss_scaling`. Waits for the GPU.
  double loss_scale() const {
    if (!loss_scaling_) return 1;
    return loss_scale_.defined() ? loss_scale_[detail::LossScale::scale].item() : loss_scaling_->scale.value_or(1);
  }

  /// `hook(Optimizer&)`, called once, `hook(UpdateRule&, Parameter&)`, called for every parameter, or
  /// `hook(UpdateRule&, Parameter&, kernels::UpdateBatch&)`, which leaves what it does to gradients to the batch: one
  /// launch for all parameters on a GPU. Hooks run in the order in which they were added. Throws ArgumentError before
  /// `setup`, and for a name that is taken. A hook that does the same in every update may say so by `static constexpr
  /// bool recordable = true;`: it becomes a part of what `training::CapturedStep` repeats.
  template <class Hook>
  void add_hook(Hook hook, HookOptions options = {}) {
    (void)target();
    const Hook& named = hook;
    static_assert(std::invocable<Hook&, Optimizer&> || detail::is_parameter_hook<Hook>,
                  "a hook takes (Optimizer&), (UpdateRule&, Parameter&) or these and (kernels::UpdateBatch&)");
    hooks_.add(
        named,
        [hook](Optimizer& optimizer) mutable {
          if constexpr (std::invocable<Hook&, Optimizer&>) {
            hook(optimizer);
          } else {
            kernels::UpdateBatch batch;
            for (auto& rule : optimizer.rules_) detail::call_parameter_hook(hook, *rule, rule->parameter(), batch);
            batch.flush();
          }
          optimizer.fill_missing_gradients();
        },
        std::move(options));
  }
  void remove_hook(std::string_view name) { hooks_.remove(name); }

  /// Calls of `update`.
  std::int64_t t() const noexcept { return t_; }
  std::int64_t epoch() const noexcept { return epoch_; }
  /// Counts an epoch. Updaters that count by themselves set `use_auto_new_epoch` and say `automatic`; a call that does
  /// not fit that throws ArgumentError.
  void new_epoch(bool automatic = false) {
    if (automatic != use_auto_new_epoch) {
      throw ArgumentError(automatic ? "[new_epoch] the updater must set use_auto_new_epoch"
                                    : "[new_epoch] the updater counts epochs already");
    }
    ++epoch_;
  }
  bool use_auto_new_epoch = false;

  /// What is known of each parameter, in the order of `namedparams`.
  const std::vector<std::unique_ptr<UpdateRule>>& rules() const noexcept { return rules_; }
  /// Of this parameter. Throws ArgumentError when it was not there at `setup`.
  UpdateRule& rule(const Parameter& parameter) const {
    for (const auto& rule : rules_) {
      if (rule->parameter_.body() == parameter.body()) return *rule;
    }
    throw ArgumentError("[optimizer] the parameter '", parameter.name(), "' is not of the model of setup()");
  }
  /// Of the parameter at `/path`.
  UpdateRule& rule(std::string_view path) const {
    for (const auto& rule : rules_) {
      if (rule->path_ == path) return *rule;
    }
    throw ArgumentError("[optimizer] the model has no parameter '", path, "'");
  }

  /// A hyperparameter by name, for schedules: `optimizer.hyperparameter("lr") *= 0.5`. Throws ArgumentError that lists
  /// the names.
  virtual double& hyperparameter(std::string_view name) = 0;
  /// The current learning rate; of Adam the corrected one, which there is from the first update on.
  virtual double lr() const = 0;

  /// Writes or reads t, epoch, and of each parameter `<path>/t` and its states; hyperparameters are not saved.
  void serialize(Serializer& s) {
    s("t", t_);
    s("epoch", epoch_);
    if (loss_scaling_ && t_ > 0) s("loss_scale", loss_scale_);
    for (auto& rule : rules_) {
      const auto path = rule->path_.substr(1) + '/';
      s(path + "t", rule->t_);
      if (has_wide(*rule) && rule->t_ > 0) {
        Array wide = rule->wide_ ? rule->wide_->array() : Array{};
        s(path + "fp32", wide);
        if (s.is_loading()) rule->wide_.emplace(wide);
      }
      const bool has_states = std::any_of(rule->states_.begin(), rule->states_.end(),
                                          [](const auto& state) { return state.array.defined(); });
      // Before a parameter's first update there is no state.
      if (!has_states && (!s.is_loading() || rule->t_ == 0)) continue;
      for (auto& state : rule->states_) s(path + std::string(state.name), state.array);
    }
  }

 protected:
  /// The states a parameter has, without arrays.
  virtual OptimizerStates initial_states() const = 0;
  /// One pass over an initialised parameter with its gradient, on the current device; `rule.t()` counts from 1.
  virtual void update_parameter(UpdateRule& rule, kernels::UpdateBatch& batch) = 0;
  /// Whether `update_parameter` leaves all that it does on a GPU to the batch. Then a graph may hold it
  /// (`training::CapturedStep`).
  virtual bool leaves_all_to_batch() const noexcept { return false; }
  virtual void on_setup() {}

  static std::span<const std::pair<std::string, double>> overrides(const UpdateRule& rule) noexcept {
    return rule.overrides_;
  }
  static OptimizerStates& states(UpdateRule& rule) noexcept { return rule.states_; }

 private:
  friend class training::detail::RecordedUpdate;

  void fill_missing_gradients() {
    const auto fill = [](Parameter& p) {
      if (p.is_initialized() && p.update_enabled() && !p.node()->grad.defined()) {
        p.set_grad(Variable(zeros_like(p.array())));
      }
    };
    for (auto& rule : rules_) {
      fill(rule->parameter_);
      if (rule->wide_ && rule->parameter_.update_enabled()) fill(*rule->wide_);
    }
  }

  /// Function pointers, so that a program compiles mixed precision only if it asks for it.
  struct Precision {
    void (*take_gradients)(Optimizer&) = nullptr;
    void (*give_back)(Optimizer&) = nullptr;
    void (*judge)(Optimizer&) = nullptr;
  };
  template <class = void>
  struct MixedPrecision;

  bool has_wide(const UpdateRule& rule) const {
    if (!fp32_update_) return false;
    return is_16bit_float(rule.parameter_.is_initialized() ? rule.parameter_.dtype() : config().dtype);
  }
  void start_with_scale(Variable& loss) {
    DNN_EXPECT("loss_scaling", loss.size() == 1);
    const UsingDevice here(loss.device());
    if (!loss_scale_.defined()) {
      loss_scale_ = array_from(std::vector<double>{loss_scaling_->scale.value_or(1), 1, 0, 0});
    }
    loss_scale_ = loss_scale_.to(loss.device());
    loss.set_grad(Variable(loss_scale_[detail::LossScale::scale].to(loss.dtype()).reshape(loss.shape())));
  }

  /// Makes the states that are not there yet. Throws where gradient or states do not fit the parameter.
  static void prepare_states(UpdateRule& rule) {
    const Array& data = rule.parameter().array();
    const Array& gradient = rule.parameter().node()->grad.array();
    if (gradient.shape() != data.shape() || gradient.dtype() != data.dtype()) {
      throw ArgumentError("[optimizer] the gradient of ", rule.path_, " is ", gradient, ", the parameter ", data);
    }
    for (auto& state : rule.states_) {
      if (!state.array.defined()) state.array = full(data.shape(), state.initial, data.dtype());
      if (state.array.shape() != data.shape()) {
        throw ArgumentError("[optimizer] the state '", state.name, "' of ", rule.path_, " has shape ",
                            state.array.shape(), ", the parameter ", data.shape());
      }
      if (state.array.dtype() != data.dtype()) state.array = state.array.to(data.dtype());
      if (state.array.device() != data.device()) state.array = state.array.to(data.device());
    }
  }

  std::optional<SerializableRef> target_;
  std::vector<std::unique_ptr<UpdateRule>> rules_;
  detail::HookList<Optimizer&> hooks_;
  std::int64_t t_ = 0;
  std::int64_t epoch_ = 0;
  Precision precision_;
  bool fp32_update_ = false;
  std::optional<LossScalingOptions> loss_scaling_;
#if DNN_CUDA
  kernels::RecordedPasses* recorded_ = nullptr;  ///< while a graph records the update
#endif
  Array loss_scale_;  ///< float64, on the device of the parameters; detail::LossScale says what
};

}  // namespace dnn::inline DNN_ABI

#include "dnn/optimizers/mixed_precision.hpp"  // `use_fp32_update` and `loss_scaling`
