#pragma once

#include <string_view>

#include "dnn/functions/activation/tanh.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct BernoulliNLL {
  static constexpr std::string_view name = "BernoulliNLL";
  static constexpr Retain retain = Retain::inputs;

  template <class V>
  constexpr V forward(V x, V y) const {
    return maximum(y, 0) + log1p(exp(-abs(y))) - x * y;
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V y, V) const {
    if constexpr (I == 0) return -gy * y;
    else return gy * (tanh(y * 0.5) * 0.5 + 0.5 - x);
  }
};

}  // namespace nodes

/// Negative log likelihood of x (in [0, 1]) under a Bernoulli distribution with logits y: log(1 + exp(y)) - x y, summed
/// over all elements by default; reduce may also be mean or no. One shape and float dtype. Throws ArgumentError when
/// the shapes differ.
template <class = void>
Variable bernoulli_nll(const Variable& x, const Variable& y, Reduce reduce = Reduce::sum) {
  DNN_EXPECT("bernoulli_nll", x.shape() == y.shape());
  return nodes::reduced_loss("bernoulli_nll", elementwise(nodes::BernoulliNLL{}, x, y), reduce);
}

}  // namespace dnn::inline DNN_ABI::inline functions
