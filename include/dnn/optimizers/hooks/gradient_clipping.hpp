#pragma once

#include <cmath>
#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Scales all gradients so that the L2 norm of all of them together is at most `threshold`. Throws ArgumentError
/// unless it is positive.
struct GradientClipping {
  double threshold;

  static constexpr std::string_view name = "GradientClipping";

  void operator()(Optimizer& optimizer) const {
    DNN_EXPECT(name, threshold > 0);
    double squares = 0;
    for (const auto& rule : optimizer.rules()) {
      const Array g = rule->parameter().grad();
      if (g.defined()) squares += kernels::sum_of_squares(g.bytes(), g.dtype(), g.size());
    }
    const double rate = threshold / std::sqrt(squares);
    if (rate >= 1) return;
    for (const auto& rule : optimizer.rules()) {
      detail::change_gradient(rule->parameter(), [rate](auto& g, auto) { g = rate * g; });
    }
  }
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
