#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct HardSigmoid {
  static constexpr std::string_view name = "HardSigmoid";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return minimum(maximum(x * 0.2 + 0.5, 0), 1);
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return where((y > 0) & (y < 1), gy * 0.2, 0);
  }
};

}  // namespace nodes

/// 0.2 x + 0.5 limited to [0, 1], elementwise; the slope is 0.2 where |x| < 2.5 and 0 elsewhere. Float dtypes.
inline Variable hard_sigmoid(const Variable& x) { return elementwise(nodes::HardSigmoid{}, x); }

}  // namespace dnn::inline DNN_ABI::inline functions
