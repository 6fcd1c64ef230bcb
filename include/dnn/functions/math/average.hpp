/// Means, plain and weighted.
///
///     mean(x)                                  over all elements
///     mean(x, 1), mean(x, {0, 2}, true)        over axes; `true` keeps them with size 1
///     average(x, 1, weights)                   sum(x * w) / sum(w); weights of x's shape, or 1-D along the one axis
///
/// Float dtypes; float16 is added up in float32. The mean of nothing is NaN.
#pragma once

#include "dnn/functions/array/cast.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// Throws DTypeError for integers, IndexError for an axis out of range, ArgumentError for one named twice.
inline Variable average(const Variable& x, const Axes& axis = {}, bool keepdims = false) {
  if (!is_float(x.dtype())) throw DTypeError("[average] takes a float dtype, not ", x.dtype());
  // The sum may exceed what a 16-bit float holds, the mean does not.
  if (is_16bit_float(x.dtype())) return cast(average(cast(x, float32), axis, keepdims), x.dtype());
  const Variable total = sum(x, axis, keepdims);
  return total * (static_cast<double>(total.size()) / static_cast<double>(x.size()));
}
/// Throws ArgumentError unless the weights have x's dtype and fit, and as above.
inline Variable average(const Variable& x, const Axes& axis, const Variable& weights, bool keepdims = false) {
  if (!is_float(x.dtype())) throw DTypeError("[average] takes a float dtype, not ", x.dtype());
  DNN_EXPECT("average", x.dtype() == weights.dtype());
  if (is_16bit_float(x.dtype())) {
    return cast(average(cast(x, float32), axis, cast(weights, float32), keepdims), x.dtype());
  }
  Variable w = weights;
  if (w.shape() != x.shape()) {
    // 1-D weights lie along the only reduced axis.
    DNN_EXPECT("average", weights.ndim() == 1);
    const unsigned mask = axis.mask(x.ndim(), "average");
    Shape along = reduced_shape(x.shape(), (1u << x.ndim()) - 1, true);
    int reduced = 0;
    for (int i = 0; i < x.ndim(); ++i) {
      if (mask >> i & 1) along = along.with(i, x.shape()[i]), ++reduced;
    }
    DNN_EXPECT("average", reduced == 1);
    DNN_EXPECT("average", along.size() == weights.size());
    w = broadcast_to(reshape(weights, along), x.shape());
  }
  return sum(x * w, axis, keepdims) / sum(w, axis, keepdims);
}

/// The same under NumPy's name.
inline Variable mean(const Variable& x, const Axes& axis = {}, bool keepdims = false) {
  return average(x, axis, keepdims);
}
inline Variable mean(const Variable& x, const Axes& axis, const Variable& weights, bool keepdims = false) {
  return average(x, axis, weights, keepdims);
}

}  // namespace dnn::inline DNN_ABI::inline functions
