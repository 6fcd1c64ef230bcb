/// Adding and multiplying an array whose axes lie along some axes in the middle of another's, such as one number per
/// channel of an image: y.shape() == x.shape()[axis : axis + y.ndim()].
#pragma once

#include <string_view>

#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// y with trailing axes of size 1, so that it broadcasts against x as it should. Throws ArgumentError.
inline Variable aligned(std::string_view op, const Variable& x, const Variable& y, int axis) {
  const int begin = axis < 0 ? axis + x.ndim() : axis;
  DNN_EXPECT(op, begin >= 0);
  DNN_EXPECT(op, begin + y.ndim() <= x.ndim());
  DNN_EXPECT(op, y.shape() == x.shape().slice(begin, begin + y.ndim()));
  Shape shape = y.shape();
  while (begin + shape.ndim() < x.ndim()) shape = shape.with_inserted(shape.ndim(), 1);
  return reshape(y, shape);
}

}  // namespace nodes

/// x * y, y aligned with x from `axis` on. One dtype.
inline Variable scale(const Variable& x, const Variable& y, int axis = 1) {
  return x * nodes::aligned("scale", x, y, axis);
}

}  // namespace dnn::inline DNN_ABI::inline functions
