#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct SMORMS3Rule {
  double lr = 0.001;  ///< learning rate
  double eps = 1e-16;

  static OptimizerStates states() { return {{"mem", 1}, {"g"}, {"g2"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<3>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& mem, V& m, V& g2) const {
    const V r = 1 / (mem + 1);
    m = (1 - r) * m + r * g;
    g2 = (1 - r) * g2 + r * g * g;
    const V x = m * m / (g2 + eps);
    p = p - g * minimum(x, lr) / (sqrt(g2) + eps);
    mem = 1 + mem * (1 - x);
  }
};

/// SMORMS3: r = 1 / (mem + 1); means m and g2 of g and g^2 move by r; x = m^2 / (g2 + eps);
/// p -= g min(x, lr) / (sqrt(g2) + eps); mem = 1 + mem (1 - x). Funk, 2015.
/// States: mem (starts at 1), g (the m of the formula), g2.
using SMORMS3 = GradientMethod<SMORMS3Rule>;

}  // namespace dnn::inline DNN_ABI::optimizers
