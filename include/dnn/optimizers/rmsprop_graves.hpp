#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct RMSpropGravesRule {
  double lr = 1e-4;       ///< learning rate
  double alpha = 0.95;    ///< decay of both means
  double momentum = 0.9;  ///< how much of the last step goes into this one
  double eps = 1e-4;

  static OptimizerStates states() { return {{"n"}, {"g"}, {"delta"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<3>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& n, V& m, V& delta) const {
    n = alpha * n + (1 - alpha) * (g * g);
    m = alpha * m + (1 - alpha) * g;
    delta = momentum * delta - lr * g / sqrt(n - m * m + eps);
    p = p + delta;
  }
};

/// RMSprop with momentum and centred squares: n = alpha n + (1 - alpha) g^2; m = alpha m + (1 - alpha) g;
/// delta = momentum delta - lr g / sqrt(n - m^2 + eps); p += delta. Graves, 2013.
/// States: n, g (the m of the formula), delta.
using RMSpropGraves = GradientMethod<RMSpropGravesRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
