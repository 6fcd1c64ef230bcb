/// Coefficient of determination: how much of the variance of the truth a prediction explains.
#pragma once

#include <cstdint>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/core/expect.hpp"

namespace dnn::inline DNN_ABI::inline functions {

enum class MultiOutput : std::uint8_t { uniform_average, raw_values };

/// 1 - sum (pred - truth)^2 / sum (truth - mean truth)^2 over axis 0, for every column; 0 where the truth does not
/// vary. The mean over all columns, a scalar, or with raw_values one for each. One shape and float dtype; no gradient.
/// Throws ArgumentError when shapes or dtypes differ.
inline Variable r2_score(const Variable& pred, const Variable& truth,
                         MultiOutput multioutput = MultiOutput::uniform_average) {
  DNN_EXPECT("r2_score", is_float(pred.dtype()));
  DNN_EXPECT("r2_score", pred.dtype() == truth.dtype());
  DNN_EXPECT("r2_score", pred.shape() == truth.shape());
  DNN_EXPECT("r2_score", pred.ndim() >= 1);
  const Array p = pred.array().to(float64), t = truth.array().to(float64);
  const auto rows = p.shape()[0], columns = p.shape().without(0).size();
  Array scores(p.shape().without(0), float64);
  double total = 0;
  for (std::int64_t c = 0; c < columns; ++c) {
    const double *guess = p.data<double>() + c, *fact = t.data<double>() + c;
    double mean = 0, residual = 0, variance = 0;
    for (std::int64_t r = 0; r < rows; ++r) mean += fact[r * columns];
    mean /= static_cast<double>(rows);
    for (std::int64_t r = 0; r < rows; ++r) {
      const double a = guess[r * columns] - fact[r * columns], b = fact[r * columns] - mean;
      residual += a * a;
      variance += b * b;
    }
    const double score = variance == 0 ? 0 : 1 - residual / variance;
    scores.data<double>()[c] = score;
    total += score;
  }
  if (multioutput == MultiOutput::raw_values) return scores.to(pred.dtype());
  return full({}, total / static_cast<double>(columns), pred.dtype());
}

}  // namespace dnn::inline DNN_ABI::inline functions
