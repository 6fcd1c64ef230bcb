/// `GradientMethod<Rule>`: an optimizer made of a rule, a plain struct with the hyperparameters and one formula. To
/// write one's own:
///
///     struct MomentumSGDRule {
///       double lr = 0.01;
///       double momentum = 0.9;
///
///       static OptimizerStates states() { return {{"v"}}; }
///       void update(ParameterUpdate& u) const { u.pass<1>(*this); }
///
///       template <class V>
///       constexpr void operator()(V& p, V g, V& v) const {
///         v = momentum * v - lr * g;
///         p = p + v;
///       }
///     };
///     using MomentumSGD = GradientMethod<MomentumSGDRule>;
///
/// `update(ParameterUpdate&, const Rule&)` is also told the hyperparameters of the time of `setup`; `learning_rate(t)`,
/// if there is one, is what `lr()` answers instead of the field lr. The formula, the rule itself or another struct,
/// gets SIMD packs (kernels/pack.hpp) of the parameter, the gradient and the states, in float or double, and on the GPU
/// single numbers (kernels/number.hpp). The library's rules make `update` a template, so that a program compiles only
/// those that it uses; one's own need not.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/core/reflect.hpp"
#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/update.hpp"
#include "dnn/optimizers/optimizer.hpp"

namespace dnn::inline DNN_ABI::optimizers {

/// One parameter's turn in `Optimizer::update`.
class ParameterUpdate {
 public:
  ParameterUpdate(Parameter& parameter, OptimizerStates& states, std::int64_t t, kernels::UpdateBatch& batch) noexcept
      : parameter_(parameter), states_(states), t_(t), batch_(batch) {}

  /// Updates of this parameter, this one included.
  std::int64_t t() const noexcept { return t_; }
  DType dtype() const noexcept { return parameter_.dtype(); }

  /// formula(p&, g, state&...) over all elements at once. Throws ArgumentError when the rule had fewer states at setup.
  template <std::size_t States, class Formula>
  void pass(const Formula& formula) {
    std::array<void*, States> states;
    if constexpr (States > 0) {
      if (states_.size() < States) {
        throw ArgumentError("[optimizer] the rule uses ", States, " states, at setup it had ", states_.size());
      }
      for (std::size_t i = 0; i < States; ++i) states[i] = states_[i].array.bytes();
    }
    const Array& gradient = parameter_.node()->grad.array();
    kernels::update<States>(formula, parameter_.dtype(), parameter_.array().bytes(), gradient.bytes(), gradient.dtype(),
                            states, parameter_.size(), batch_);
  }

 private:
  Parameter& parameter_;
  OptimizerStates& states_;
  std::int64_t t_;
  kernels::UpdateBatch& batch_;
};

template <class Rule>
class GradientMethod : public Optimizer {
 public:
  /// All parameters' hyperparameters, except for those that `UpdateRule::set_hyperparameter` sets for one.
  Rule hyperparam;

  GradientMethod() : hyperparam{} {}
  explicit GradientMethod(const Rule& hyperparameters) : hyperparam(hyperparameters) {}
  /// The first hyperparameter, in most rules the learning rate: `SGD(0.1)`.
  template <class T>
    requires(std::is_arithmetic_v<T>)
  explicit GradientMethod(T first) : hyperparam{static_cast<double>(first)} {}

  double& hyperparameter(std::string_view name) override { return find(hyperparam, name); }

  double lr() const override {
    if constexpr (requires { hyperparam.learning_rate(t()); }) {
      return hyperparam.learning_rate(t());
    } else if constexpr (requires { hyperparam.lr; }) {
      return hyperparam.lr;
    } else {
      throw ArgumentError("[optimizer] this optimizer has no learning rate");
    }
  }

 protected:
  OptimizerStates initial_states() const override { return hyperparam.states(); }
  void update_parameter(UpdateRule& rule, kernels::UpdateBatch& batch) override {
    ParameterUpdate u(rule.parameter(), states(rule), rule.t(), batch);
    const auto own = overrides(rule);
    if (own.empty()) return apply(hyperparam, u);
    Rule changed = hyperparam;
    for (const auto& [name, value] : own) find(changed, name) = value;
    apply(changed, u);
  }
  bool leaves_all_to_batch() const noexcept override { return true; }
  void on_setup() override { at_setup_ = hyperparam; }

 private:
  void apply(const Rule& rule, ParameterUpdate& u) const {
    if constexpr (requires { rule.update(u, at_setup_); }) {
      rule.update(u, at_setup_);
    } else {
      rule.update(u);
    }
  }
  static double& find(Rule& rule, std::string_view name) {
    double* found = nullptr;
    std::string known;
    for_each_field(rule, [&](std::string_view field, auto& value) {
      if constexpr (std::same_as<decltype(value), double&>) {
        if (field == name) found = &value;
        known += concat(" ", field);
      }
    });
    if (!found) throw ArgumentError("[optimizer] there is no hyperparameter '", name, "'; there are", known);
    return *found;
  }

  Rule at_setup_{};
};

}  // namespace dnn::inline DNN_ABI::optimizers
