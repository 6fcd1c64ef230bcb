#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct ReLU {
  static constexpr std::string_view name = "ReLU";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return maximum(x, 0);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return where(y > 0, gy, 0);
  }
};

}  // namespace nodes

/// max(x, 0), elementwise; the gradient at 0 is 0, NaN stays NaN. Float dtypes.
inline Variable relu(const Variable& x) { return elementwise(nodes::ReLU{}, x); }

}  // namespace dnn::inline DNN_ABI::inline functions
