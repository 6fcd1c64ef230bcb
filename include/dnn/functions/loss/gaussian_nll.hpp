#pragma once

#include <string_view>

#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct GaussianNLL {
  static constexpr std::string_view name = "GaussianNLL";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x, V mean, V ln_var) const {
    constexpr double log_2_pi = 1.8378770664093453;
    const V d = x - mean;
    return (ln_var + log_2_pi + d * d * exp(-ln_var)) * 0.5;
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V mean, V ln_var, V) const {
    const V d = x - mean;
    if constexpr (I == 0) return gy * d * exp(-ln_var);
    else if constexpr (I == 1) return -gy * d * exp(-ln_var);
    else return gy * (1 - d * d * exp(-ln_var)) * 0.5;
  }
};

}  // namespace nodes

/// Negative logarithm of the density of N(mean, exp(ln_var)) at x, summed over all elements by default; reduce may also
/// be mean or no. One shape and float dtype. Throws ArgumentError when the shapes differ.
template <class = void>
Variable gaussian_nll(const Variable& x, const Variable& mean, const Variable& ln_var, Reduce reduce = Reduce::sum) {
  DNN_EXPECT("gaussian_nll", x.shape() == mean.shape());
  DNN_EXPECT("gaussian_nll", x.shape() == ln_var.shape());
  return nodes::reduced_loss("gaussian_nll", elementwise(nodes::GaussianNLL{}, x, mean, ln_var), reduce);
}

}  // namespace dnn::inline DNN_ABI::inline functions
