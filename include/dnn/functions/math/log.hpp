#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Log {
  static constexpr std::string_view name = "Log";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x) const {
    return log(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return gy / x;
  }
};

}  // namespace nodes

/// The natural logarithm, elementwise; -inf at 0, NaN below. Float dtypes.
template <class = void>
Variable log(const Variable& x) {
  return elementwise(nodes::Log{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
