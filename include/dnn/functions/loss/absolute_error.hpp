#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct AbsoluteError {
  static constexpr std::string_view name = "AbsoluteError";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x0, V x1) const {
    return abs(x0 - x1);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x0, V x1, V) const {
    const V g = where(x0 > x1, gy, where(x0 < x1, -gy, 0));
    if constexpr (I == 0) return g;
    else return -g;
  }
};

}  // namespace nodes

/// |x0 - x1|, elementwise; the gradient is 0 where they are equal. One shape and float dtype. Throws ArgumentError when
/// the shapes differ.
inline Variable absolute_error(const Variable& x0, const Variable& x1) {
  DNN_EXPECT("absolute_error", x0.shape() == x1.shape());
  return elementwise(nodes::AbsoluteError{}, x0, x1);
}

}  // namespace dnn::inline DNN_ABI::inline functions
