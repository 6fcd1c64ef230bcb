#pragma once

#include "dnn/functions/normalization/group_normalization.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// Every row of x (N, D) normalised to mean 0 and variance 1, then scaled by gamma (D) and shifted by beta (D):
///
///     y = gamma (x - mean) / sqrt(variance + eps) + beta      (biased variance)
///
/// Float dtypes; gamma and beta of a 16-bit x may be float32. Throws ArgumentError when shapes or dtypes do not fit or
/// eps is not positive.
template <class = void>
Variable layer_normalization(const Variable& x, const Variable& gamma, const Variable& beta, double eps = 1e-5) {
  DNN_EXPECT("layer_normalization", x.ndim() == 2);
  return call(make_ref<nodes::GroupNormalization>("LayerNormalization", 1, eps), x, gamma, beta);
}

}  // namespace dnn::inline DNN_ABI::inline functions
