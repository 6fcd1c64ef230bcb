#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Sigmoid {
  static constexpr std::string_view name = "Sigmoid";
  static constexpr Retain retain = Retain::output;

  template <class V>
  V forward(V x) const {
    return tanh(x * 0.5) * 0.5 + 0.5;
  }
  template <int I, class V>
  V grad(V gy, V, V y) const {
    return gy * y * (1 - y);
  }
};

}  // namespace nodes

/// 1 / (1 + exp(-x)), elementwise, as tanh(x / 2) / 2 + 1 / 2: nothing overflows. Float dtypes.
inline Variable sigmoid(const Variable& x) { return elementwise(nodes::Sigmoid{}, x); }

}  // namespace dnn::inline DNN_ABI::inline functions
