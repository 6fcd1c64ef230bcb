#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct CorrectedMomentumSGDRule {
  double lr = 0.01;       ///< learning rate
  double momentum = 0.9;  ///< how much of the last direction goes into this one

  static OptimizerStates states() { return {{"v"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<1>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& v) const {
    v = momentum * v - g;
    p = p + lr * v;
  }
};

/// SGD with momentum whose learning rate is not part of the momentum: v = momentum v - g; p += lr v.
/// State: v.
using CorrectedMomentumSGD = GradientMethod<CorrectedMomentumSGDRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
