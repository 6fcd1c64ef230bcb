#pragma once

#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Clips every element of the gradients to [lower_bound, upper_bound]. Throws ArgumentError where that is empty.
struct GradientHardClipping {
  double lower_bound;
  double upper_bound;

  static constexpr std::string_view name = "GradientHardClipping";
  static constexpr bool recordable = true;

  void operator()(UpdateRule&, Parameter& parameter, kernels::UpdateBatch& batch) const {
    DNN_EXPECT(name, lower_bound <= upper_bound);
    detail::change_gradient(parameter, Formula{lower_bound, upper_bound}, batch);
  }

  struct Formula {
    double lower;
    double upper;

    template <class V>
    constexpr void operator()(V& g, V) const {
      g = minimum(maximum(g, lower), upper);
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
