/// + - * / and unary minus on Variables, Arrays and numbers, with NumPy's broadcasting.
///
/// Both operands of a binary operator have the same dtype (cast one otherwise: DTypeError); a number takes the dtype of
/// the other operand and never changes it (DTypeError where integers cannot take it: 0.5). Integer operands are allowed
/// but for /. Shapes broadcast or throw ShapeError.
#pragma once

#include <cmath>
#include <concepts>
#include <span>
#include <string_view>

#include "dnn/functions/elementwise.hpp"

namespace dnn::inline DNN_ABI {

Variable operator+(const Variable& a, const Variable& b);
Variable operator-(const Variable& a, const Variable& b);
Variable operator*(const Variable& a, const Variable& b);
Variable operator/(const Variable& a, const Variable& b);
Variable operator-(const Variable& x);
Variable operator+(const Variable& a, double b);
Variable operator-(const Variable& a, double b);
Variable operator*(const Variable& a, double b);
Variable operator/(const Variable& a, double b);
Variable operator+(double a, const Variable& b);
Variable operator-(double a, const Variable& b);
Variable operator*(double a, const Variable& b);
Variable operator/(double a, const Variable& b);

}  // namespace dnn::inline DNN_ABI

namespace dnn::inline DNN_ABI::inline functions::nodes {

struct Add {
  static constexpr std::string_view name = "Add";
  static constexpr Retain retain = Retain::nothing;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V a, V b) const {
    return a + b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V, V) const {
    return gy;
  }
};

struct Sub {
  static constexpr std::string_view name = "Sub";
  static constexpr Retain retain = Retain::nothing;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V a, V b) const {
    return a - b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V, V) const {
    if constexpr (I == 0) return gy;
    else return -gy;
  }
};

struct Mul {
  static constexpr std::string_view name = "Mul";
  static constexpr Retain retain = Retain::inputs;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V a, V b) const {
    return a * b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V) const {
    if constexpr (I == 0) return gy * b;
    else return gy * a;
  }
};

struct Div {
  static constexpr std::string_view name = "Div";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V a, V b) const {
    return a / b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V a, V b, V) const {
    if constexpr (I == 0) return gy / b;
    else return -gy * a / (b * b);
  }
};

struct Neg {
  static constexpr std::string_view name = "Neg";
  static constexpr Retain retain = Retain::nothing;
  static constexpr bool integers = true;

  template <class V>
  constexpr V forward(V x) const {
    return -x;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V) const {
    return -gy;
  }
};

struct AddConstant {
  static constexpr std::string_view name = "AddConstant";
  static constexpr Retain retain = Retain::nothing;
  static constexpr bool integers = true;
  double value;

  template <class V>
  constexpr V forward(V x) const {
    return x + value;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V) const {
    return gy;
  }
};

struct SubFromConstant {
  static constexpr std::string_view name = "SubFromConstant";
  static constexpr Retain retain = Retain::nothing;
  static constexpr bool integers = true;
  double value;

  template <class V>
  constexpr V forward(V x) const {
    return value - x;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V) const {
    return -gy;
  }
};

struct MulConstant {
  static constexpr std::string_view name = "MulConstant";
  static constexpr Retain retain = Retain::nothing;
  static constexpr bool integers = true;
  double value;

  template <class V>
  constexpr V forward(V x) const {
    return x * value;
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V) const {
    return gy * value;
  }
};

struct DivFromConstant {
  static constexpr std::string_view name = "DivFromConstant";
  static constexpr Retain retain = Retain::inputs;
  double value;

  template <class V>
  constexpr V forward(V x) const {
    return value / x;
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return -gy * value / (x * x);
  }
};

}  // namespace dnn::inline DNN_ABI::inline functions::nodes

namespace dnn::inline DNN_ABI {

inline Variable operator+(const Variable& a, const Variable& b) { return elementwise(functions::nodes::Add{}, a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return elementwise(functions::nodes::Sub{}, a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return elementwise(functions::nodes::Mul{}, a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return elementwise(functions::nodes::Div{}, a, b); }
inline Variable operator-(const Variable& x) { return elementwise(functions::nodes::Neg{}, x); }

namespace detail {
/// `op` of one array and one number. The number would lose its fraction, or more, beside integers.
template <class Op>
Variable with_constant(const Op& op, const Variable& x) {
  if (x.defined() && !is_float(x.dtype()) && !(op.value == std::trunc(op.value) && std::abs(op.value) < 0x1p63)) {
    throw DTypeError("[", Op::name, "] ", op.value, " is no ", x.dtype(),
                     "; cast the array to a float dtype (inputs: ", x.array(), ")");
  }
  return elementwise(op, x);
}
}  // namespace detail

inline Variable operator+(const Variable& a, double b) {
  return detail::with_constant(functions::nodes::AddConstant{b}, a);
}
inline Variable operator-(const Variable& a, double b) { return a + -b; }
inline Variable operator*(const Variable& a, double b) {
  return detail::with_constant(functions::nodes::MulConstant{b}, a);
}
inline Variable operator/(const Variable& a, double b) {
  if (a.defined() && !is_float(a.dtype())) throw DTypeError("[Div] takes a float dtype, not ", a.array());
  return a * (1 / b);
}
inline Variable operator+(double a, const Variable& b) { return b + a; }
inline Variable operator-(double a, const Variable& b) {
  return detail::with_constant(functions::nodes::SubFromConstant{a}, b);
}
inline Variable operator*(double a, const Variable& b) { return b * a; }
inline Variable operator/(double a, const Variable& b) { return elementwise(functions::nodes::DivFromConstant{a}, b); }

/// As in Python, `x += y` makes x another variable, x + y: whoever holds the old one, or its array, sees no change. Not
/// for Parameters, which stay what they are.
template <std::same_as<Variable> V, class Y>
auto operator+=(V& x, const Y& y) -> decltype(x = x + y) {
  return x = x + y;
}
template <std::same_as<Variable> V, class Y>
auto operator-=(V& x, const Y& y) -> decltype(x = x - y) {
  return x = x - y;
}
template <std::same_as<Variable> V, class Y>
auto operator*=(V& x, const Y& y) -> decltype(x = x * y) {
  return x = x * y;
}
template <std::same_as<Variable> V, class Y>
auto operator/=(V& x, const Y& y) -> decltype(x = x / y) {
  return x = x / y;
}

}  // namespace dnn::inline DNN_ABI

namespace dnn::inline DNN_ABI::inline functions {

/// The sum of any number of arrays of one dtype, broadcast together; one argument is returned as it is.
/// Throws ArgumentError for none.
inline Variable add(std::span<const Variable> xs) {
  DNN_EXPECT("add", xs.size() >= 1u);
  Variable sum = xs[0];
  for (const auto& x : xs.subspan(1)) sum = sum + x;
  return sum;
}
inline Variable add(std::initializer_list<Variable> xs) { return add(std::span(xs.begin(), xs.size())); }

}  // namespace dnn::inline DNN_ABI::inline functions
