#pragma once

#include <initializer_list>
#include <span>

#include "dnn/functions/math/sum_to.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// All arrays broadcast to their common shape, as NumPy; any dtypes. (`broadcast_to` is in math/sum_to.hpp.)
/// Throws ArgumentError for none, ShapeError when they do not fit.
inline Variables broadcast(std::span<const Variable> xs) {
  DNN_EXPECT("broadcast", xs.size() >= 1u);
  Shape shape = xs[0].shape();
  for (const auto& x : xs) shape = broadcast_shapes(shape, x.shape(), "broadcast");
  Variables ys;
  for (const auto& x : xs) ys.push_back(broadcast_to(x, shape));
  return ys;
}
inline Variables broadcast(std::initializer_list<Variable> xs) { return broadcast(std::span(xs.begin(), xs.size())); }

}  // namespace dnn::inline DNN_ABI::inline functions
