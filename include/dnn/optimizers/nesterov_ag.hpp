#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct NesterovAGRule {
  double lr = 0.01;       ///< learning rate
  double momentum = 0.9;  ///< how much of the last step goes into this one

  static OptimizerStates states() { return {{"v"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<1>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& v) const {
    v = momentum * v - lr * g;
    p = p + (momentum * momentum) * v - ((1 + momentum) * lr) * g;
  }
};

/// Nesterov's accelerated gradient: v = momentum v - lr g; p += momentum^2 v - (1 + momentum) lr g.
/// State: v.
using NesterovAG = GradientMethod<NesterovAGRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
