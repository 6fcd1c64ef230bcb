#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct AdaGradRule {
  double lr = 0.001;  ///< learning rate
  double eps = 1e-8;

  static OptimizerStates states() { return {{"h"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<1>([r = *this](auto& p, auto g, auto& h) {
      h = h + g * g;
      p = p - r.lr * g / (sqrt(h) + r.eps);
    });
  }
};

/// AdaGrad: h += g^2; p -= lr g / (sqrt(h) + eps). Duchi, Hazan, Singer, 2011.
/// State: h.
using AdaGrad = GradientMethod<AdaGradRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
