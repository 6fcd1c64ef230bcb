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
  V forward(V x) const {
    return sin(x);
  }
  template <int I, class V>
  V grad(V gy, V x, V) const {
    return gy * cos(x);
  }
};

}  // namespace nodes

/// The sine of x radians, elementwise. Float dtypes.
inline Variable sin(const Variable& x) { return elementwise(nodes::Sin{}, x); }

}  // namespace dnn::inline DNN_ABI::inline functions
