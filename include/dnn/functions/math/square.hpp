#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Square {
  static constexpr std::string_view name = "Square";
  static constexpr Retain retain = Retain::inputs;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V x) const {
    return x * x;
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return gy * x * 2;
  }
};

}  // namespace nodes

/// x * x, elementwise. Any dtype but bool.
template <class = void>
Variable square(const Variable& x) {
  return elementwise(nodes::Square{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
