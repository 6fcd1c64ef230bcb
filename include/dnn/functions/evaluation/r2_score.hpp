/// Coefficient of determination: how much of the variance of the truth a prediction explains.
#pragma once

#include <cstdint>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/core/config.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

enum class MultiOutput : std::uint8_t { uniform_average, raw_values };

/// 1 - sum (pred - truth)^2 / sum (truth - mean truth)^2 over axis 0, for every column; 0 where the truth does not
/// vary. The mean over all columns, a scalar, or with raw_values one for each. One shape and float dtype; no gradient.
/// Throws ArgumentError when shapes or dtypes differ.
template <class = void>
Variable r2_score(const Variable& pred, const Variable& truth, MultiOutput multioutput = MultiOutput::uniform_average) {
  DNN_EXPECT("r2_score", is_float(pred.dtype()));
  DNN_EXPECT("r2_score", pred.dtype() == truth.dtype());
  DNN_EXPECT("r2_score", pred.shape() == truth.shape());
  DNN_EXPECT("r2_score", pred.ndim() >= 1);
  const auto mode = no_backprop_mode();
  const Variable p = pred.array().to(float64), t = truth.array().to(float64);
  const Variable a = p - t, b = t - average(t, 0, true);
  const Variable residual = sum(a * a, 0), variance = sum(b * b, 0);
  const Variable scores = where(variance == 0, 0.0, 1 - residual / variance);
  const Variable result = multioutput == MultiOutput::raw_values ? scores : average(scores);
  return result.array().to(pred.dtype());
}

}  // namespace dnn::inline DNN_ABI::inline functions
