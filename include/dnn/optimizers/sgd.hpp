#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct SGDRule {
  double lr = 0.01;  ///< learning rate

  static OptimizerStates states() { return {}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<0>([h = *this](auto& p, auto g) { p = p - h.lr * g; });
  }
};

/// Stochastic gradient descent: p -= lr g.
using SGD = GradientMethod<SGDRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
