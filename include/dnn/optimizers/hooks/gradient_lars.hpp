#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "dnn/kernels/for_each_index.hpp"
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
    const UsingDevice here(data.device());
    Array numbers({3}, float64);  // the two sums of squares, and the rate
    double* const n = numbers.data<double>();
    const kernels::Elements p = detail::elements(data), g = detail::elements(gradient);
    kernels::sum_of_squares(n, {&p, 1});
    kernels::sum_of_squares(n + 1, {&g, 1});
    kernels::for_each_index("GradientLARS", 1, 1, Rate{n, threshold, weight_decay, eps});
    detail::change_gradient(parameter, Formula{weight_decay, n + 2});
  }

  struct Rate {
    double* n;
    double threshold, weight_decay, eps;

    DNN_HD void operator()(std::int64_t) const {
      const double p_norm = std::sqrt(n[0]), g_norm = std::sqrt(n[1]);
      n[2] = p_norm > threshold ? p_norm / (eps + g_norm + weight_decay * p_norm) : 1;
    }
  };
  struct Formula {
    double weight_decay;
    const double* rate;

    template <class V>
    constexpr void operator()(V& g, V p) const {
      g = *rate * (g + weight_decay * p);
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
