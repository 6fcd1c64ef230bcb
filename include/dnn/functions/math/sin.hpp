/// Sine and cosine: each other's derivative.
#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Sin {
  static constexpr std::string_view name = "Sin";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x) const {
    return sin(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return gy * cos(x);
  }
};

struct Cos {
  static constexpr std::string_view name = "Cos";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x) const {
    return cos(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return -(gy * sin(x));
  }
};

}  // namespace nodes

/// The sine of x radians, elementwise. Float dtypes.
template <class = void>
Variable sin(const Variable& x) {
  return elementwise(nodes::Sin{}, x);
}
/// The cosine of x radians, elementwise. Float dtypes.
template <class = void>
Variable cos(const Variable& x) {
  return elementwise(nodes::Cos{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
