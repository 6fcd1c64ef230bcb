#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Exp {
  static constexpr std::string_view name = "Exp";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return exp(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * y;
  }
};

}  // namespace nodes

/// e to the power x, elementwise. Float dtypes.
template <class = void>
Variable exp(const Variable& x) {
  return elementwise(nodes::Exp{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
