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
    if (eps_inside_sqrt) {
      u.pass<1>([h = *this](auto& p, auto g, auto& ms) {
        ms = h.alpha * ms + (1 - h.alpha) * (g * g);
        p = p - h.lr * g / sqrt(ms + h.eps);
      });
    } else {
      u.pass<1>([h = *this](auto& p, auto g, auto& ms) {
        ms = h.alpha * ms + (1 - h.alpha) * (g * g);
        p = p - h.lr * g / (sqrt(ms) + h.eps);
      });
    }
  }
};

/// RMSprop: ms = alpha ms + (1 - alpha) g^2; p -= lr g / (sqrt(ms) + eps), or / sqrt(ms + eps) with `eps_inside_sqrt`.
/// Tieleman, Hinton, 2012.
/// State: ms.
using RMSprop = GradientMethod<RMSpropRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
