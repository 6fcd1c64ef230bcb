#pragma once

#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Adds rate * p to the gradients: the derivative of an L2 penalty rate / 2 * |p|^2. With Adam and its likes, which
/// rescale gradients, `weight_decay_rate` decays better.
struct WeightDecay {
  double rate;

  static constexpr std::string_view name = "WeightDecay";
  static constexpr bool recordable = true;

  void operator()(UpdateRule&, Parameter& parameter, kernels::UpdateBatch& batch) const {
    detail::change_gradient(parameter, Formula{rate}, batch);
  }

  struct Formula {
    double rate;

    template <class V>
    constexpr void operator()(V& g, V p) const {
      g = g + rate * p;
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
