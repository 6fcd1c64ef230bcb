#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Sigmoid {
  static constexpr std::string_view name = "Sigmoid";
  static constexpr Retain retain = Retain::output;

  template <class V>
  constexpr V forward(V x) const {
    return 1 / (1 + exp(-x));
  }
  template <int I, class V>
  constexpr V grad(V gy, V, V y) const {
    return gy * y * (1 - y);
  }
};

}  // namespace nodes

/// 1 / (1 + exp(-x)), elementwise; 0 where exp(-x) is infinite. Float dtypes.
inline Variable sigmoid(const Variable& x) { return elementwise(nodes::Sigmoid{}, x); }

}  // namespace dnn::inline DNN_ABI::inline functions
