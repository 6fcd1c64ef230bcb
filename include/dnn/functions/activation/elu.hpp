#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/functions/math/exp.hpp"
#include "dnn/functions/math/minimum.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct ELU {
  static constexpr std::string_view name = "ELU";
  static constexpr Retain retain = Retain::inputs;
  double alpha;

  template <class V>
  constexpr V forward(V x) const {
    return where(x >= 0, x, expm1(x) * alpha);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    // The minimum keeps the branch that is not taken finite.
    return where(x >= 0, gy, gy * alpha * exp(minimum(x, 0)));
  }
};

}  // namespace nodes

/// x where x >= 0, alpha * (exp(x) - 1) elsewhere. Float dtypes.
template <class = void>
Variable elu(const Variable& x, double alpha = 1) {
  return elementwise(nodes::ELU{alpha}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
