#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Sqrt {
  static constexpr std::string_view name = "Sqrt";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return sqrt(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * 0.5 / y;
  }
};

}  // namespace nodes

/// The square root, elementwise; NaN below 0. Its gradient at 0 is infinite. Float dtypes.
template <class = void>
Variable sqrt(const Variable& x) {
  return elementwise(nodes::Sqrt{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
