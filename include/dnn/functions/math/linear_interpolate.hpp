#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct LinearInterpolate {
  static constexpr std::string_view name = "LinearInterpolate";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V p, V a, V b) const {
    return p * a + (1 - p) * b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V p, V a, V b, V) const {
    if constexpr (I == 0) return gy * (a - b);
    else if constexpr (I == 1) return gy * p;
    else return gy * (1 - p);
  }
};

}  // namespace nodes

/// p a + (1 - p) b, elementwise, broadcast together. One float dtype.
template <class = void>
Variable linear_interpolate(const Variable& p, const Variable& a, const Variable& b) {
  return elementwise(nodes::LinearInterpolate{}, p, a, b);
}

}  // namespace dnn::inline DNN_ABI::inline functions
