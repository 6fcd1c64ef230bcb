#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Rsqrt {
  static constexpr std::string_view name = "Rsqrt";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return 1 / sqrt(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * -0.5 * (y * y * y);
  }
};

}  // namespace nodes

/// 1 / sqrt(x), elementwise; inf at 0, NaN below. Float dtypes.
template <class = void>
Variable rsqrt(const Variable& x) {
  return elementwise(nodes::Rsqrt{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
