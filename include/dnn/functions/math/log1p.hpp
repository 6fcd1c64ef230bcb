#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Log1p {
  static constexpr std::string_view name = "Log1p";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x) const {
    return log1p(x);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return gy / (x + 1);
  }
};

}  // namespace nodes

/// log(1 + x), elementwise, exact for small x. Float dtypes.
template <class = void>
Variable log1p(const Variable& x) {
  return elementwise(nodes::Log1p{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
