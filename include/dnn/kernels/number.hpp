/// One number, with the operators and functions that an op's formula may use: what a GPU thread computes with.
///
/// It is to the GPU kernels what `Pack` (kernels/pack.hpp) is to those of the CPU: a formula compiled for both means
/// the same.
#pragma once

#include <cmath>
#include <type_traits>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// The outcome of a comparison of Numbers.
template <class T>
struct Truth {
  bool v;

  DNN_HD friend Truth operator&(Truth a, Truth b) noexcept { return {a.v && b.v}; }
  DNN_HD friend Truth operator|(Truth a, Truth b) noexcept { return {a.v || b.v}; }
};

template <class T>
struct Number {
  T v;

  Number() = default;
  template <class S>
    requires(std::is_arithmetic_v<S>)
  DNN_HD Number(S scalar)
  noexcept : v(static_cast<T>(scalar)) {}

  DNN_HD friend Number operator+(Number a, Number b) noexcept { return a.v + b.v; }
  DNN_HD friend Number operator-(Number a, Number b) noexcept { return a.v - b.v; }
  DNN_HD friend Number operator*(Number a, Number b) noexcept { return a.v * b.v; }
  DNN_HD friend Number operator/(Number a, Number b) noexcept { return a.v / b.v; }
  DNN_HD friend Number operator-(Number a) noexcept { return -a.v; }

  DNN_HD friend Truth<T> operator==(Number a, Number b) noexcept { return {a.v == b.v}; }
  DNN_HD friend Truth<T> operator!=(Number a, Number b) noexcept { return {a.v != b.v}; }
  DNN_HD friend Truth<T> operator<(Number a, Number b) noexcept { return {a.v < b.v}; }
  DNN_HD friend Truth<T> operator<=(Number a, Number b) noexcept { return {a.v <= b.v}; }
  DNN_HD friend Truth<T> operator>(Number a, Number b) noexcept { return {a.v > b.v}; }
  DNN_HD friend Truth<T> operator>=(Number a, Number b) noexcept { return {a.v >= b.v}; }
};

/// a where the condition holds, b elsewhere.
template <class T>
DNN_HD Number<T> where(Truth<T> condition, std::type_identity_t<Number<T>> a,
                       std::type_identity_t<Number<T>> b) noexcept {
  return condition.v ? a : b;
}

#define DNN_NUMBER_FUNCTION(name)               \
  template <class T>                            \
  DNN_HD Number<T> name(Number<T> x) noexcept { \
    return std::name(x.v);                      \
  }
DNN_NUMBER_FUNCTION(exp)
DNN_NUMBER_FUNCTION(log)
DNN_NUMBER_FUNCTION(log1p)
DNN_NUMBER_FUNCTION(expm1)
DNN_NUMBER_FUNCTION(abs)
DNN_NUMBER_FUNCTION(floor)
DNN_NUMBER_FUNCTION(ceil)
DNN_NUMBER_FUNCTION(sin)
DNN_NUMBER_FUNCTION(cos)
DNN_NUMBER_FUNCTION(sqrt)
DNN_NUMBER_FUNCTION(tanh)
#undef DNN_NUMBER_FUNCTION

/// The larger of two; NaN if either is NaN.
template <class T>
DNN_HD Number<T> maximum(Number<T> a, std::type_identity_t<Number<T>> b) noexcept {
  return a.v > b.v || a.v != a.v ? a : b;
}
/// The smaller of two; NaN if either is NaN.
template <class T>
DNN_HD Number<T> minimum(Number<T> a, std::type_identity_t<Number<T>> b) noexcept {
  return a.v < b.v || a.v != a.v ? a : b;
}

/// x to the power y, as `std::pow`.
template <class T>
DNN_HD Number<T> pow(Number<T> x, std::type_identity_t<Number<T>> y) noexcept {
  return std::pow(x.v, y.v);
}

/// Towards 0.
template <class T>
DNN_HD Number<T> fix(Number<T> x) noexcept {
  return std::trunc(x.v);
}

/// The remainder of x / y, as `std::fmod`.
template <class T>
DNN_HD Number<T> fmod(Number<T> x, std::type_identity_t<Number<T>> y) noexcept {
  return std::fmod(x.v, y.v);
}

}  // namespace dnn::inline DNN_ABI::kernels
