#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Absolute {
  static constexpr std::string_view name = "Absolute";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x) const {
    return abs(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return where(x > 0, gy, where(x < 0, -gy, 0));
  }
};

}  // namespace nodes

/// |x|, elementwise; the gradient is the sign of x, 0 at 0. Float dtypes.
template <class = void>
Variable absolute(const Variable& x) {
  return elementwise(nodes::Absolute{}, x);
}
template <class = void>
Variable abs(const Variable& x) {
  return absolute(x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
