/// x to the power y, as `std::pow`.
///
///     pow(x, 2)    dtype of x, and exactly x * x; likewise 1 / x for -1 and sqrt(x) for 0.5, as NumPy
///     pow(2, x)
///     pow(x, y)    elementwise, broadcast together
#pragma once

#include <cmath>
#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/functions/math/log.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct PowVarVar {
  static constexpr std::string_view name = "PowVarVar";
  static constexpr Retain retain = Retain::both;

  template <class V>
  constexpr V forward(V a, V b) const {
    return pow(a, b);
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V y) const {
    if constexpr (I == 0) return gy * b * pow(a, b - 1);
    // 0 to a positive power is 0 whatever the power: log(0) * 0 would be NaN.
    else return where((a == 0) & (b > 0), 0, gy * log(a) * y);
  }
};

struct PowVarConst {
  static constexpr std::string_view name = "PowVarConst";
  static constexpr Retain retain = Retain::inputs;
  double value;

  template <class V>
  constexpr V forward(V x) const {
    if (value == 2) return x * x;
    if (value == -1) return 1 / x;
    if (value == 0.5) return sqrt(x);
    return pow(x, value);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    if (value == 0) return gy * 0;
    if (value == 2) return gy * x * 2;
    return gy * value * pow(x, value - 1);
  }
};

struct PowConstVar {
  static constexpr std::string_view name = "PowConstVar";
  static constexpr Retain retain = Retain::output;
  double value;

  template <class V>
  constexpr V forward(V x) const {
    return pow(V(value), x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * y * std::log(value);
  }
};

}  // namespace nodes

/// One dtype, a float one. The gradient of y is that of x^y = exp(y log x): NaN where x < 0.
template <class = void>
Variable pow(const Variable& x, const Variable& y) {
  return elementwise(nodes::PowVarVar{}, x, y);
}
/// The number takes the dtype of the other operand. Float dtypes.
template <class = void>
Variable pow(const Variable& x, double y) {
  return elementwise(nodes::PowVarConst{y}, x);
}
template <class = void>
Variable pow(double x, const Variable& y) {
  return elementwise(nodes::PowConstVar{x}, y);
}

}  // namespace dnn::inline DNN_ABI::inline functions
