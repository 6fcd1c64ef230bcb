#pragma once

#include <cmath>
#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Layer-wise adaptive rate scaling: g = (g + weight_decay p) rate with rate = |p| / (eps + |g| + weight_decay |p|)
/// where |p| > threshold, 1 elsewhere. You, Gitman, Ginsburg, 2017.
struct GradientLARS {
  double threshold = 0.01;
  double weight_decay = 0;
  double eps = 1e-9;

  static constexpr std::string_view name = "GradientLARS";

  void operator()(UpdateRule&, Parameter& parameter) const {
    const Array gradient = parameter.grad();
    if (!gradient.defined()) return;
    const Array& data = parameter.array();
    const double p_norm = std::sqrt(kernels::sum_of_squares(data.bytes(), data.dtype(), data.size()));
    const double g_norm = std::sqrt(kernels::sum_of_squares(gradient.bytes(), gradient.dtype(), gradient.size()));
    const double rate = p_norm > threshold ? p_norm / (eps + g_norm + weight_decay * p_norm) : 1;
    detail::change_gradient(parameter, [decay = weight_decay, rate](auto& g, auto p) { g = rate * (g + decay * p); });
  }
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
