#pragma once

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct AdaDeltaRule {
  double rho = 0.95;  ///< decay of both means of squares
  double eps = 1e-6;

  static OptimizerStates states() { return {{"msg"}, {"msdx"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    u.pass<2>([h = *this](auto& p, auto g, auto& msg, auto& msdx) {
      msg = h.rho * msg + (1 - h.rho) * (g * g);
      const auto dx = sqrt((msdx + h.eps) / (msg + h.eps)) * g;
      msdx = h.rho * msdx + (1 - h.rho) * (dx * dx);
      p = p - dx;
    });
  }
};

/// AdaDelta: msg = rho msg + (1 - rho) g^2; dx = sqrt((msdx + eps) / (msg + eps)) g; msdx = rho msdx + (1 - rho) dx^2;
/// p -= dx. Zeiler, 2012. It has no learning rate.
/// States: msg, msdx.
using AdaDelta = GradientMethod<AdaDeltaRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
