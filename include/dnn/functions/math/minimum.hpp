#pragma once

#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Minimum {
  static constexpr std::string_view name = "Minimum";
  static constexpr Retain retain = Retain::inputs;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V a, V b) const {
    return minimum(a, b);
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V) const {
    if constexpr (I == 0) return where(a <= b, gy, 0);
    else return where(a <= b, 0, gy);
  }
};

}  // namespace nodes

/// The smaller of a and b, elementwise, broadcast together; NaN if either is NaN. One dtype, any. Where they are equal
/// the gradient goes to a.
template <class = void>
Variable minimum(const Variable& a, const Variable& b) {
  return elementwise(nodes::Minimum{}, a, b);
}
/// The number takes the dtype of the other operand.
template <class = void>
Variable minimum(const Variable& a, double b) {
  return minimum(a, Variable(full({}, b, a.dtype())));
}
template <class = void>
Variable minimum(double a, const Variable& b) {
  return minimum(Variable(full({}, a, b.dtype())), b);
}

}  // namespace dnn::inline DNN_ABI::inline functions
