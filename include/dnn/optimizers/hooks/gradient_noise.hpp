#pragma once

#include <cmath>
#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Adds normal noise of variance eta / (1 + t)^0.55 to the gradients, t the updates so far. Neelakantan et al., 2015.
/// The numbers come from `default_generator()`. Throws ArgumentError for a negative eta.
struct GradientNoise {
  double eta;

  static constexpr std::string_view name = "GradientNoise";

  void operator()(UpdateRule& rule, Parameter& parameter) const {
    DNN_EXPECT(name, eta >= 0);
    if (!parameter.grad_variable().defined()) return;
    const double deviation = std::sqrt(eta / std::pow(1 + static_cast<double>(rule.t()), 0.55));
    const UsingDevice here(parameter.array().device());
    const Array noise = random::normal(parameter.shape(), 0, deviation, parameter.dtype());
    const Array gradient = mutable_gradient(parameter);
    detail::change_array(gradient, noise, Formula{});
  }

  struct Formula {
    template <class V>
    constexpr void operator()(V& g, V noise) const {
      g = g + noise;
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
