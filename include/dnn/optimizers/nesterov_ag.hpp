#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct NesterovAGRule {
  double lr = 0.01;       ///< learning rate
  double momentum = 0.9;  ///< how much of the last step goes into this one

  static OptimizerStates states() { return {{"v"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    const double ahead = momentum * momentum, now = (1 + momentum) * lr;
    u.pass<1>([h = *this, ahead, now](auto& p, auto g, auto& v) {
      v = h.momentum * v - h.lr * g;
      p = p + ahead * v - now * g;
    });
  }
};

/// Nesterov's accelerated gradient: v = momentum v - lr g; p += momentum^2 v - (1 + momentum) lr g.
/// State: v.
using NesterovAG = GradientMethod<NesterovAGRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
