/// Adam and its relatives: AdamW, AMSGrad, AdaBound, AMSBound.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "dnn/optimizers/gradient_method.hpp"

namespace dnn::inline DNN_ABI::optimizers {

struct AdamRule {
  double alpha = 0.001;          ///< step size
  double beta1 = 0.9;            ///< decay of the mean of gradients; in [0, 1)
  double beta2 = 0.999;          ///< decay of the mean of squares; in [0, 1)
  double eps = 1e-8;             ///< added to the root, which is not corrected
  double eta = 1;                ///< multiplies the whole step, for schedules
  double weight_decay_rate = 0;  ///< of the parameter itself, not through the gradient; multiplied by eta, not by alpha
  bool amsgrad = false;          ///< divides by the largest v so far
  bool adabound = false;         ///< bounds the step towards `final_lr`
  double final_lr = 0.1;         ///< of AdaBound; follows alpha
  double gamma = 0.001;          ///< how fast AdaBound's bounds close

  OptimizerStates states() const {
    if (amsgrad) return {{"m"}, {"v"}, {"vhat"}};
    return {{"m"}, {"v"}};
  }

  /// alpha sqrt(1 - beta2^t) / (1 - beta1^t). Throws ArgumentError before the first update.
  double learning_rate(std::int64_t t) const {
    if (t == 0) throw ArgumentError("[Adam] before the first update there is no learning rate");
    const auto n = static_cast<double>(t);
    return alpha * std::sqrt(1 - std::pow(beta2, n)) / (1 - std::pow(beta1, n));
  }

  template <class = void>
  void update(ParameterUpdate& u, const AdamRule& at_setup) const {
    DNN_EXPECT("Adam", beta1 >= 0);
    DNN_EXPECT("Adam", beta1 < 1);
    DNN_EXPECT("Adam", beta2 >= 0);
    DNN_EXPECT("Adam", beta2 < 1);
    if (eps != 0 && u.dtype() != DType::float64 && static_cast<float>(eps) == 0) {
      throw ArgumentError("[Adam] eps ", eps, " is 0 in float32");
    }
    const double step = learning_rate(u.t()), keep = 1 - eta * weight_decay_rate;
    double lower = -std::numeric_limits<double>::infinity(), upper = -lower;
    if (adabound) {
      const double last = final_lr * alpha / at_setup.alpha, t = static_cast<double>(u.t());
      lower = last * (1 - 1 / (gamma * t + 1));
      upper = last * (1 + 1 / (gamma * t));
    }
    const Step plain{beta1, beta2, eps, eta, step, keep};
    if (amsgrad) u.pass<3>(AMSGradStep{{plain, lower, upper}});
    else if (adabound) u.pass<2>(AdaBoundStep{plain, lower, upper});
    else u.pass<2>(plain);
  }

  // Public, because nvcc wants the arguments of a kernel template to be.
  struct Step {
    double beta1, beta2, eps, eta, step, keep;

    template <class V>
    constexpr void moments(V g, V& m, V& v) const {
      m = m + (1 - beta1) * (g - m);
      v = v + (1 - beta2) * (g * g - v);
    }
    template <class V>
    constexpr void operator()(V& p, V g, V& m, V& v) const {
      moments(g, m, v);
      p = keep * p - (eta * step) * m / (sqrt(v) + eps);
    }
  };
  struct AdaBoundStep : Step {
    double lower, upper;

    template <class V>
    constexpr V bounded(V v) const {
      return minimum(maximum(this->step / (sqrt(v) + this->eps), lower), upper);
    }
    template <class V>
    constexpr void operator()(V& p, V g, V& m, V& v) const {
      this->moments(g, m, v);
      p = this->keep * p - this->eta * (bounded(v) * m);
    }
  };
  struct AMSGradStep : AdaBoundStep {
    template <class V>
    constexpr void operator()(V& p, V g, V& m, V& v, V& vhat) const {
      this->moments(g, m, v);
      vhat = maximum(vhat, v);
      p = this->keep * p - this->eta * (this->bounded(vhat) * m);
    }
  };
};

/// Adam: m += (1 - beta1) (g - m); v += (1 - beta2) (g^2 - v);
/// p = (1 - eta weight_decay_rate) p - eta alpha sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps).
/// Kingma, Ba, 2015. States: m, v, and vhat with `amsgrad`.
using Adam = GradientMethod<AdamRule>;

/// Adam with `.weight_decay_rate`, which defaults to 0. Loshchilov, Hutter, 2019.
using AdamW = Adam;

/// Adam with the switches set. (A template, so that a program pays for those it uses.)
template <bool UseAMSGrad, bool UseAdaBound>
class AdamVariant : public Adam {
 public:
  explicit AdamVariant(AdamRule h = {}) : Adam((h.amsgrad = UseAMSGrad, h.adabound = UseAdaBound, h)) {}
};

/// Adam with `amsgrad`. Reddi, Kale, Kumar, 2018.
using AMSGrad = AdamVariant<true, false>;

/// Adam with `adabound`: each element's step is clipped to last (1 - 1 / (gamma t + 1)) ... last (1 + 1 / (gamma t)),
/// where last = final_lr alpha / (alpha at setup). Luo, Xiong, Liu, Sun, 2019.
using AdaBound = AdamVariant<false, true>;

/// AdaBound with `amsgrad`.
using AMSBound = AdamVariant<true, true>;

}  // namespace dnn::inline DNN_ABI::optimizers
