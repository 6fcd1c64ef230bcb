#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct GaussianKLDivergence {
  static constexpr std::string_view name = "GaussianKLDivergence";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V mean, V ln_var) const {
    return (mean * mean + exp(ln_var) - ln_var - 1) * 0.5;
  }
  template <int I, class V>
  constexpr V grad(V gy, V mean, V ln_var, V) const {
    if constexpr (I == 0) return gy * mean;
    else return gy * (exp(ln_var) - 1) * 0.5;
  }
};

}  // namespace nodes

/// KL(N(mean, exp(ln_var)) || N(0, 1)) = (mean^2 + exp(ln_var) - ln_var - 1) / 2, summed over all elements by default;
/// reduce may also be mean or no. One shape and float dtype. Throws ArgumentError when the shapes differ.
template <class = void>
Variable gaussian_kl_divergence(const Variable& mean, const Variable& ln_var, Reduce reduce = Reduce::sum) {
  DNN_EXPECT("gaussian_kl_divergence", mean.shape() == ln_var.shape());
  return nodes::reduced_loss("gaussian_kl_divergence", elementwise(nodes::GaussianKLDivergence{}, mean, ln_var),
                             reduce);
}

}  // namespace dnn::inline DNN_ABI::inline functions
