#pragma once

#include <string_view>

#include "dnn/optimizers/hooks/change_gradient.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks {

/// Adds rate * sign(p) to the gradients: the derivative of an L1 penalty rate * |p|.
struct Lasso {
  double rate;

  static constexpr std::string_view name = "Lasso";
  static constexpr bool recordable = true;

  void operator()(UpdateRule&, Parameter& parameter, kernels::UpdateBatch& batch) const {
    detail::change_gradient(parameter, Formula{rate}, batch);
  }

  struct Formula {
    double rate;

    template <class V>
    constexpr void operator()(V& g, V p) const {
      g = g + rate * where(p > 0, 1, where(p < 0, -1, p));  // p: zero or NaN
    }
  };
};

}  // namespace dnn::inline DNN_ABI::optimizer_hooks
