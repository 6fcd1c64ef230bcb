/// `Optimizer::use_fp32_update` and `Optimizer::loss_scaling`: training with float16 and bfloat16.
///
///     const auto dtype = using_dtype(DType::float16);
///     optimizers::Adam optimizer;
///     optimizer.setup(model).use_fp32_update();
///     optimizer.loss_scaling();
#pragma once

#include <cmath>
#include <vector>

#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/update.hpp"
#include "dnn/optimizers/optimizer.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

struct CopyGradient {
  template <class V>
  constexpr void operator()(V& to, V from) const {
    to = from;
  }
};
struct ScaleGradient {
  const double* factor;

  template <class V>
  constexpr void operator()(V& to, V from) const {
    to = *factor * from;
  }
};
/// After backward: is this update to be left out, and what the next loss is multiplied by.
struct JudgeGradients {
  double* s;
  double growth;  ///< 0: the scale is fixed

  /// By the sum of the squares of all gradients.
  DNN_HD void operator()(std::int64_t, double squares) const {
    const bool finite = squares - squares == 0;
    s[LossScale::inverse] = 1 / s[LossScale::scale];
    s[LossScale::skip] = finite ? 0 : 1;
    if (growth == 0) return;
    if (!finite) s[LossScale::was_too_large] = 1;
    const double factor = !finite ? 0.5 : s[LossScale::was_too_large] != 0 ? growth : 2.0;
    const double next = s[LossScale::scale] * factor;
    s[LossScale::scale] = next < 1 ? 1 : next > 65504 ? 65504 : next;
  }
};
/// After the update: gradients that do not come from `backward` are not scaled.
struct ForgetScale {
  double* s;

  DNN_HD void operator()(std::int64_t) const {
    s[LossScale::inverse] = 1;
    s[LossScale::skip] = 0;
  }
};

}  // namespace detail

template <class>
struct Optimizer::MixedPrecision {
  using LossScale = dnn::detail::LossScale;

  static void pass(Array& to, const Array& from, const double* factor, kernels::UpdateBatch& batch) {
    const auto run = [&](const auto& formula) {
      kernels::update<0>(formula, to.dtype(), to.bytes(), from.bytes(), from.dtype(), {}, to.size(), batch);
    };
    if (factor) run(detail::ScaleGradient{factor});
    else run(detail::CopyGradient{});
  }

  static void take_gradients(Optimizer& optimizer) {
    const double* const factor =
        optimizer.loss_scale_.defined() ? optimizer.loss_scale_.data<double>() + LossScale::inverse : nullptr;
    kernels::UpdateBatch batch;
    for (const auto& rule : optimizer.rules_) {
      Parameter& p = rule->parameter_;
      if (!p.is_initialized() || !p.update_enabled()) continue;
      const UsingDevice here(p.device());
      if (optimizer.has_wide(*rule)) {
        if (!rule->wide_) rule->wide_.emplace(p.array().to(float32));
        if (rule->wide_->device() != p.device()) rule->wide_->set_array(rule->wide_->array().to(p.device()));
        Array gradient(p.shape(), float32);
        pass(gradient, p.grad(), factor, batch);
        rule->wide_->set_grad(Variable(gradient));
      } else if (factor) {
        Array gradient = mutable_gradient(p);
        pass(gradient, gradient, factor, batch);
      }
    }
    batch.flush();
  }

  static void give_back(Optimizer& optimizer) {
    kernels::UpdateBatch batch;
    for (const auto& rule : optimizer.rules_) {
      if (!rule->wide_ || !rule->parameter_.update_enabled()) continue;
      const UsingDevice here(rule->parameter_.device());
      pass(rule->parameter_.array(), rule->wide_->array(), nullptr, batch);
      rule->wide_->cleargrad();
    }
    batch.flush();
    if (!optimizer.loss_scale_.defined()) return;
    const UsingDevice here(optimizer.loss_scale_.device());
    kernels::for_each_index("loss_scaling", 1, 1, detail::ForgetScale{optimizer.loss_scale_.template data<double>()});
  }

  static void judge(Optimizer& optimizer) {
    Array& state = optimizer.loss_scale_;
    const UsingDevice here(state.device());
    std::vector<kernels::Elements> gradients;
    for (const auto& rule : optimizer.rules_) {
      const Array g = rule->parameter_.grad();
      if (g.defined()) gradients.push_back({g.bytes(), g.dtype(), g.size()});
    }
    const auto& options = *optimizer.loss_scaling_;
    const double growth = options.scale ? 0 : std::exp2(1 / static_cast<double>(options.interval));
    kernels::sum_of_squares(gradients, detail::JudgeGradients{state.data<double>(), growth});
  }

  // No static member: nvcc does not compile the kernels of functions that are named in its initialiser.
  static Precision functions() { return {&take_gradients, &give_back, &judge}; }
};

template <class>
void Optimizer::use_fp32_update(bool use) {
  fp32_update_ = use;
  if (!use) {
    for (auto& rule : rules_) rule->wide_.reset();
  }
  precision_ = MixedPrecision<>::functions();
}

template <class>
void Optimizer::loss_scaling(const LossScalingOptions& options) {
  DNN_EXPECT("loss_scaling", options.interval > 0);
  if (options.scale) DNN_EXPECT("loss_scaling", *options.scale > 0);
  loss_scaling_ = options;
  loss_scale_ = {};
  precision_ = MixedPrecision<>::functions();
}

}  // namespace dnn::inline DNN_ABI
