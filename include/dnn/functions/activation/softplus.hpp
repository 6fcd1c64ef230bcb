#pragma once

#include <string_view>

#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Softplus {
  static constexpr std::string_view name = "Softplus";
  static constexpr Retain retain = Retain::inputs;
  double beta;

  template <class V>
  constexpr V forward(V x) const {
    const V z = x * beta;
    return (maximum(z, 0) + log1p(exp(-abs(z)))) * (1 / beta);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    // The derivative is the logistic function of beta x.
    return gy * (tanh(x * (beta / 2)) * 0.5 + 0.5);
  }
};

}  // namespace nodes

/// log(1 + exp(beta x)) / beta, elementwise; nothing overflows. Float dtypes. Throws ArgumentError unless beta > 0.
template <class = void>
Variable softplus(const Variable& x, double beta = 1) {
  DNN_EXPECT("softplus", beta > 0.0);
  return elementwise(nodes::Softplus{beta}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
