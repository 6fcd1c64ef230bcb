#pragma once

#include <initializer_list>
#include <span>

#include "dnn/functions/array/concat.hpp"
#include "dnn/functions/array/expand_dims.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// Arrays of one shape along a new axis, which is `axis` of the result. One dtype, any.
/// Throws ArgumentError for none or differing shapes, IndexError for an axis out of range.
inline Variable stack(std::span<const Variable> xs, int axis = 0) {
  DNN_EXPECT("stack", xs.size() >= 1u);
  Variables expanded;
  for (const auto& x : xs) {
    DNN_EXPECT("stack", x.shape() == xs[0].shape());
    expanded.push_back(expand_dims(x, axis));
  }
  return concat({expanded.data(), expanded.size()}, axis);
}
inline Variable stack(std::initializer_list<Variable> xs, int axis = 0) {
  return stack(std::span(xs.begin(), xs.size()), axis);
}

/// Arrays under each other, along axis 0; 1-D arrays are rows.
inline Variable vstack(std::span<const Variable> xs) {
  DNN_EXPECT("vstack", xs.size() >= 1u);
  return xs[0].ndim() == 1 ? stack(xs) : concat(xs, 0);
}
inline Variable vstack(std::initializer_list<Variable> xs) { return vstack(std::span(xs.begin(), xs.size())); }

}  // namespace dnn::inline DNN_ABI::inline functions
