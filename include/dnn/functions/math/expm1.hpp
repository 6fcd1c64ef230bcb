#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Expm1 {
  static constexpr std::string_view name = "Expm1";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return expm1(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * (y + 1);
  }
};

}  // namespace nodes

/// exp(x) - 1, elementwise, exact for small x. Float dtypes.
template <class = void>
Variable expm1(const Variable& x) {
  return elementwise(nodes::Expm1{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
