#pragma once

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/functions/math/sqrt.hpp"
#include "dnn/functions/math/sum.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x / (||x|| + eps), with the L2 norm over `axis` (one or several; default 1). A zero vector stays zero, with gradient
/// gy / eps. Float dtypes. Throws IndexError for an axis out of range.
template <class = void>
Variable normalize(const Variable& x, double eps = 1e-5, const Axes& axis = 1) {
  const Variable squared = sum(x * x, axis, true);
  // The root has no derivative at 0, the quotient has one.
  const Array nonzero = squared != 0;
  const Variable norm = where(nonzero, sqrt(where(nonzero, squared, 1)), 0);
  return x / (norm + eps);
}

}  // namespace dnn::inline DNN_ABI::inline functions
