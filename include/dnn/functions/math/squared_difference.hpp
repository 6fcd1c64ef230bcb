#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct SquaredDifference {
  static constexpr std::string_view name = "SquaredDifference";
  static constexpr Retain retain = Retain::inputs;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V a, V b) const {
    const V d = a - b;
    return d * d;
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V) const {
    if constexpr (I == 0) return gy * (a - b) * 2;
    else return gy * (b - a) * 2;
  }
};

}  // namespace nodes

/// (a - b)^2, elementwise, broadcast together. One dtype, any but bool.
template <class = void>
Variable squared_difference(const Variable& a, const Variable& b) {
  return elementwise(nodes::SquaredDifference{}, a, b);
}

}  // namespace dnn::inline DNN_ABI::inline functions
