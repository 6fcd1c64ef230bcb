#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// The noise of one parameter, of its shape and dtype; t is the updates so far.
using NoiseFunction = std::function<Array(const Parameter& parameter, double eta, std::int64_t t)>;

/// Normal noise of variance eta / (1 + t)^0.55. Neelakantan et al., 2015. The numbers come from `default_generator()`.
inline Array exponential_decay_noise(const Parameter& parameter, double eta, std::int64_t t) {
  const double deviation = std::sqrt(eta / std::pow(1 + static_cast<double>(t), 0.55));
  return random::normal(parameter.shape(), 0, deviation, parameter.dtype());
}

/// Adds noise to the gradients. Throws ArgumentError for a negative eta, and for noise of another shape or dtype.
struct GradientNoise {
  double eta;
  NoiseFunction noise_func = exponential_decay_noise;

  static constexpr std::string_view name = "GradientNoise";

  void operator()(UpdateRule& rule, Parameter& parameter) const {
    DNN_EXPECT(name, eta >= 0);
    if (!parameter.grad_variable().defined()) return;
    const UsingDevice here(parameter.array().device());
    const Array noise = noise_func(parameter, eta, rule.t());
    DNN_EXPECT(name, noise.shape() == parameter.shape());
    DNN_EXPECT(name, noise.dtype() == parameter.dtype());
    kernels::UpdateBatch batch;
    detail::change_gradient(parameter, noise, Formula{}, batch);
    batch.flush();
  }

  struct Formula {
    template <class V>
    constexpr void operator()(V& g, V noise) const {
      g = g + noise;
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
