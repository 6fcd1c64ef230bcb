#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Tanh {
  static constexpr std::string_view name = "Tanh";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return tanh(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * (1 - y * y);
  }
};

}  // namespace nodes

/// Hyperbolic tangent, elementwise. Float dtypes.
inline Variable tanh(const Variable& x) { return elementwise(nodes::Tanh{}, x); }

}  // namespace dnn::inline DNN_ABI::inline functions
