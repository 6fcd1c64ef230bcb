#pragma once

#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct HuberLoss {
  static constexpr std::string_view name = "HuberLoss";
  static constexpr Retain retain = Retain::inputs;
  double delta;

  template <class V>
  constexpr V forward(V x, V t) const {
    const V distance = abs(x - t);
    return where(distance > delta, (distance - delta / 2) * delta, distance * distance * 0.5);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V t, V) const {
    const V d = I == 0 ? x - t : t - x;
    return where(d > delta, gy * delta, where(d < -delta, gy * -delta, gy * d));
  }
};

}  // namespace nodes

/// (x - t)^2 / 2 where |x - t| <= delta, delta (|x - t| - delta / 2) beyond. By default the losses are summed along
/// axis 1, which leaves (N, ...); reduce may also be `no`. One shape and float dtype. Throws ArgumentError when the
/// shapes differ, delta is not positive, there is no axis 1, or for another reduce.
template <class = void>
Variable huber_loss(const Variable& x, const Variable& t, double delta, Reduce reduce = Reduce::sum_along_second_axis) {
  DNN_EXPECT("huber_loss", x.shape() == t.shape());
  DNN_EXPECT("huber_loss", delta > 0);
  const Variable losses = elementwise(nodes::HuberLoss{delta}, x, t);
  if (reduce == Reduce::no) return losses;
  if (reduce != Reduce::sum_along_second_axis) nodes::unknown_reduction("huber_loss", "sum_along_second_axis, no");
  DNN_EXPECT("huber_loss", x.ndim() >= 2);
  return sum(losses, 1);
}

}  // namespace dnn::inline DNN_ABI::inline functions
