#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Scales all gradients so that the L2 norm of all of them together is at most `threshold`. Throws ArgumentError
/// unless it is positive.
struct GradientClipping {
  double threshold;

  static constexpr std::string_view name = "GradientClipping";
  static constexpr bool recordable = true;

  void operator()(Optimizer& optimizer) const {
    DNN_EXPECT(name, threshold > 0);
    std::vector<kernels::Elements> gradients;
    Device device;
    for (const auto& rule : optimizer.rules()) {
      const Array g = rule->parameter().grad();
      if (!g.defined()) continue;
      gradients.push_back(detail::elements(g));
      device = g.device();
    }
    const UsingDevice here(device);
    Array rate({}, float64);
    double* const p = rate.data<double>();
    kernels::sum_of_squares(gradients, Rate{p, threshold});
    if (device == Device{} && *p == 1) return;  // the GPU multiplies by 1: faster than to wait for the answer
    kernels::UpdateBatch batch;
    for (const auto& rule : optimizer.rules()) detail::change_gradient(rule->parameter(), Scale{p}, batch);
    batch.flush();
  }

  struct Rate {
    double* p;
    double threshold;

    DNN_HD void operator()(std::int64_t, double squares) const {
      const double rate = threshold / std::sqrt(squares);
      *p = rate >= 1 ? 1 : rate;
    }
  };
  struct Scale {
    const double* rate;

    template <class V>
    constexpr void operator()(V& g, V) const {
      g = *rate * g;
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
