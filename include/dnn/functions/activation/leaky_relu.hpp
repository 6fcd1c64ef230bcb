#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct LeakyReLU {
  static constexpr std::string_view name = "LeakyReLU";
  static constexpr Retain retain = Retain::inputs;
  double slope;

  template <class V>
  constexpr V forward(V x) const {
    return where(x >= 0, x, x * slope);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return where(x >= 0, gy, gy * slope);
  }
};

}  // namespace nodes

/// x where x >= 0, slope * x elsewhere. Float dtypes. The default slope is 0.2, not the 0.01 of other frameworks.
template <class = void>
Variable leaky_relu(const Variable& x, double slope = 0.2) {
  return elementwise(nodes::LeakyReLU{slope}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
