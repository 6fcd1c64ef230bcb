#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "dnn/core/expect.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/sum_to.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x repeated as a whole: reps[i] times along axis i, as numpy.tile; the shorter of shape and reps is extended with
/// ones in front. Any dtype. Throws ArgumentError for a negative number.
inline Variable tile(const Variable& x, std::span<const std::int64_t> reps) {
  Shape shape = x.shape();
  while (shape.ndim() < static_cast<int>(reps.size())) shape = shape.with_inserted(0, 1);
  Variable y = reshape(x, shape);
  const int lead = shape.ndim() - static_cast<int>(reps.size());
  for (int axis = shape.ndim() - 1; axis >= lead; --axis) {
    const auto times = reps[static_cast<std::size_t>(axis - lead)];
    DNN_EXPECT("tile", times >= 0);
    if (times == 1) continue;
    // (before, axis and after) -> (before, times, axis and after), three axes whatever the shape.
    const auto before = y.shape().slice(0, axis).size(), rest = y.shape().slice(axis, y.ndim()).size();
    const Shape tiled = y.shape().with(axis, y.shape()[axis] * times);
    y = reshape(broadcast_to(reshape(y, Shape{before, 1, rest}), {before, times, rest}), tiled);
  }
  return y;
}
inline Variable tile(const Variable& x, std::initializer_list<std::int64_t> reps) {
  return tile(x, std::span(reps.begin(), reps.size()));
}
inline Variable tile(const Variable& x, std::int64_t reps) { return tile(x, {reps}); }

}  // namespace dnn::inline DNN_ABI::inline functions
