#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct ClippedReLU {
  static constexpr std::string_view name = "ClippedReLU";
  static constexpr Retain retain = Retain::inputs;
  double z;

  template <class V>
  constexpr V forward(V x) const {
    return minimum(maximum(x, 0), z);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return where((x > 0) & (x < z), gy, 0);
  }
};

}  // namespace nodes

/// min(max(x, 0), z), elementwise; the gradient at 0 and at z is 0. Float dtypes.
inline Variable clipped_relu(const Variable& x, double z = 20) { return elementwise(nodes::ClippedReLU{z}, x); }

/// min(max(x, 0), 6), elementwise.
inline Variable relu6(const Variable& x) { return clipped_relu(x, 6); }

}  // namespace dnn::inline DNN_ABI::inline functions
