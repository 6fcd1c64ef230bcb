#pragma once

#include <algorithm>
#include <cmath>

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct MSVAGRule {
  double lr = 0.1;               ///< learning rate
  double beta = 0.9;             ///< decay of both means
  double eta = 1;                ///< multiplies the whole step, for schedules
  double weight_decay_rate = 0;  ///< of the parameter itself, not through the gradient

  static OptimizerStates states() { return {{"m"}, {"v"}}; }

  template <class = void>
  void update(ParameterUpdate& u) const {
    const double power = std::pow(beta, static_cast<double>(u.t()));
    const double rho = std::min(
        ((1 - beta) * (1 - beta) * (1 - power * power)) / ((1 - power) * (1 - power) * (1 - beta * beta)), 0.9999);
    u.pass<2>(Step{lr, beta, eta, weight_decay_rate, rho, 1 - power});
  }

 private:
  struct Step {
    double lr, beta, eta, weight_decay_rate, rho, correction;

    template <class V>
    constexpr void operator()(V& p, V g, V& m, V& v) const {
      m = m + (1 - beta) * (g - m);
      v = v + (1 - beta) * (g * g - v);
      const V mt = m / correction;
      const V mt2 = mt * mt;
      const V s = (v / correction - mt2) / (1 - rho);
      const V factor = minimum(maximum(mt2 / (mt2 + rho * s), 0), 1);
      p = p - eta * (lr * mt * where(factor == factor, factor, 0) + weight_decay_rate * p);
    }
  };
};

/// M-SVAG, momentum adapted to the variance of the gradient: m and v are means of g and g^2, corrected by 1 - beta^t;
/// p -= eta (lr m factor + weight_decay_rate p). Balles, Hennig, 2018.
/// States: m, v.
using MSVAG = GradientMethod<MSVAGRule>;

}  // namespace dnn::inline DNN_ABI::optimizers
