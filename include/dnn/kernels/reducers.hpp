/// What reductions do with two values, and where they start.
#pragma once

#include <limits>
#include <type_traits>

#include "dnn/kernels/pack.hpp"

namespace dnn::inline DNN_ABI::kernels {

struct Sum {
  template <class T>
  static constexpr T identity() noexcept {
    return T(0);
  }
  template <class V>
  constexpr V operator()(V a, V b) const noexcept {
    return a + b;
  }
};
struct Product {
  template <class T>
  static constexpr T identity() noexcept {
    return T(1);
  }
  template <class V>
  constexpr V operator()(V a, V b) const noexcept {
    return a * b;
  }
};
/// NaN if any element is NaN, as NumPy.
struct Max {
  template <class T>
  static constexpr T identity() noexcept {
    if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
    else return std::numeric_limits<T>::lowest();
  }
  template <class T>
  constexpr T operator()(T a, T b) const noexcept {
    return a > b || a != a ? a : b;
  }
  template <class T>
  Pack<T> operator()(Pack<T> a, Pack<T> b) const noexcept {
    return maximum(b, a);  // a is what the next one waits for, b is what is tested for NaN
  }
};
struct Min {
  template <class T>
  static constexpr T identity() noexcept {
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::infinity();
    else return std::numeric_limits<T>::max();
  }
  template <class T>
  constexpr T operator()(T a, T b) const noexcept {
    return a < b || a != a ? a : b;
  }
  template <class T>
  Pack<T> operator()(Pack<T> a, Pack<T> b) const noexcept {
    return minimum(b, a);
  }
};

}  // namespace dnn::inline DNN_ABI::kernels
