#pragma once

#include "dnn/array/factories.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct GaussianOptions {
  Array eps = {};               ///< use these standard normals: of mean's shape and dtype
  Array* return_eps = nullptr;  ///< store here those that were used
};

/// A sample of the normal distribution, mean + exp(ln_var / 2) * eps, through which gradients flow. Always random, also
/// outside training. Operands of one shape and float dtype.
template <class = void>
Variable gaussian(const Variable& mean, const Variable& ln_var, const GaussianOptions& options = {}) {
  DNN_EXPECT("gaussian", mean.shape() == ln_var.shape());
  Array eps = options.eps;
  if (!eps.defined()) eps = random::normal(mean.shape(), 0, 1, mean.dtype());
  DNN_EXPECT("gaussian", eps.shape() == mean.shape());
  if (options.return_eps) *options.return_eps = eps;
  return mean + exp(ln_var * 0.5) * eps;
}

}  // namespace dnn::inline DNN_ABI::inline functions
