#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/floor.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Fmod {
  static constexpr std::string_view name = "Fmod";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x, V divisor) const {
    return fmod(x, divisor);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V divisor, V) const {
    if constexpr (I == 0) return gy;
    else return -gy * fix(x / divisor);
  }
};

}  // namespace nodes

/// The remainder of x / divisor with the sign of x, elementwise with broadcasting, as the C function. Its derivative
/// with respect to the divisor is -fix(x / divisor). Float dtypes; NaN for a divisor of 0.
template <class = void>
Variable fmod(const Variable& x, const Variable& divisor) {
  return elementwise(nodes::Fmod{}, x, divisor);
}

}  // namespace dnn::inline DNN_ABI::inline functions
