#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct AdaGradRule {
  double lr = 0.001;  ///< learning rate
  double eps = 1e-8;

  static OptimizerStates states() { return {{"h"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<1>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& h) const {
    h = h + g * g;
    p = p - lr * g / (sqrt(h) + eps);
  }
};

/// AdaGrad: h += g^2; p -= lr g / (sqrt(h) + eps). Duchi, Hazan, Singer, 2011.
/// State: h.
using AdaGrad = GradientMethod<AdaGradRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
