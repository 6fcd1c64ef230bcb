#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct RMSpropRule {
  double lr = 0.01;     ///< learning rate
  double alpha = 0.99;  ///< decay of the mean of squares
  double eps = 1e-8;
  bool eps_inside_sqrt = false;  ///< as TensorFlow has it

  static OptimizerStates states() { return {{"ms"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<1>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& ms) const {
    ms = alpha * ms + (1 - alpha) * (g * g);
    p = p - lr * g / (eps_inside_sqrt ? sqrt(ms + eps) : sqrt(ms) + eps);
  }
};

/// RMSprop: ms = alpha ms + (1 - alpha) g^2; p -= lr g / (sqrt(ms) + eps), or / sqrt(ms + eps) with `eps_inside_sqrt`.
/// Tieleman, Hinton, 2012.
/// State: ms.
using RMSprop = GradientMethod<RMSpropRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
