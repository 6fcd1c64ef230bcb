#pragma once

#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Maximum {
  static constexpr std::string_view name = "Maximum";
  static constexpr Retain retain = Retain::inputs;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V a, V b) const {
    return maximum(a, b);
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V) const {
    if constexpr (I == 0) return where(a >= b, gy, 0);
    else return where(a >= b, 0, gy);
  }
};

}  // namespace nodes

/// The larger of a and b, elementwise, broadcast together; NaN if either is NaN. One dtype, any. Where they are equal
/// the gradient goes to a.
template <class = void>
Variable maximum(const Variable& a, const Variable& b) {
  return elementwise(nodes::Maximum{}, a, b);
}
/// The number takes the dtype of the other operand.
template <class = void>
Variable maximum(const Variable& a, double b) {
  return maximum(a, Variable(full({}, b, a.dtype())));
}
template <class = void>
Variable maximum(double a, const Variable& b) {
  return maximum(Variable(full({}, a, b.dtype())), b);
}

}  // namespace dnn::inline DNN_ABI::inline functions
