#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct SGDRule {
  double lr = 0.01;  ///< learning rate

  static OptimizerStates states() { return {}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<0>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g) const {
    p = p - lr * g;
  }
};

/// Stochastic gradient descent: p -= lr g.
using SGD = GradientMethod<SGDRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
