#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct AdaDeltaRule {
  double rho = 0.95;  ///< decay of both means of squares
  double eps = 1e-6;

  static OptimizerStates states() { return {{"msg"}, {"msdx"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<2>(*this);
  }

  template <class V>
  constexpr void operator()(V& p, V g, V& msg, V& msdx) const {
    msg = rho * msg + (1 - rho) * (g * g);
    const V dx = sqrt((msdx + eps) / (msg + eps)) * g;
    msdx = rho * msdx + (1 - rho) * (dx * dx);
    p = p - dx;
  }
};

/// AdaDelta: msg = rho msg + (1 - rho) g^2; dx = sqrt((msdx + eps) / (msg + eps)) g; msdx = rho msdx + (1 - rho) dx^2;
/// p -= dx. Zeiler, 2012. It has no learning rate.
/// States: msg, msdx.
using AdaDelta = GradientMethod<AdaDeltaRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
