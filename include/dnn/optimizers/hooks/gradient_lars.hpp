#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

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
  static constexpr bool recordable = true;

  void operator()(Optimizer& optimizer) const {
    std::vector<Parameter*> together;  // on one device
    for (const auto& rule : optimizer.rules()) {
      Parameter& p = rule->parameter();
      if (!p.is_initialized() || !p.grad_variable().defined()) continue;
      if (!together.empty() && together.back()->device() != p.device()) {
        scale(together);
        together.clear();
      }
      together.push_back(&p);
    }
    scale(together);
  }
  void operator()(UpdateRule&, Parameter& parameter) const {
    Parameter* const one = &parameter;
    if (parameter.grad_variable().defined()) scale({&one, 1});
  }

  struct Norms {
    double* norms;

    DNN_HD void operator()(std::int64_t k, double squares) const { norms[k] = std::sqrt(squares); }
  };
  /// The norms of p and g become the rate, in the place of the first.
  struct Rate {
    double* norms;
    double threshold, weight_decay, eps;

    DNN_HD void operator()(std::int64_t i) const {
      const double p = norms[2 * i], g = norms[2 * i + 1];
      norms[2 * i] = p > threshold ? p / (eps + g + weight_decay * p) : 1;
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

 private:
  void scale(std::span<Parameter* const> parameters) const {
    if (parameters.empty()) return;
    const UsingDevice here(parameters[0]->device());
    std::vector<kernels::Elements> arrays;  // p and g of the first, of the second...
    for (const Parameter* p : parameters) {
      arrays.push_back(detail::elements(p->array()));
      arrays.push_back(detail::elements(p->grad()));
    }
    const auto count = static_cast<std::int64_t>(parameters.size());
    Array numbers({2 * count}, float64);
    double* const norms = numbers.data<double>();
    kernels::sums_of_squares(arrays, Norms{norms});
    kernels::for_each_index("GradientLARS", count, 1, Rate{norms, threshold, weight_decay, eps});
    kernels::UpdateBatch batch;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      detail::change_gradient(*parameters[i], Formula{weight_decay, norms + 2 * i}, batch);
    }
    batch.flush();
  }
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
