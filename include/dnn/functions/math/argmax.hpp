#pragma once

#include <optional>
#include <string_view>

#include "dnn/autograd/variable.hpp"
#include "dnn/kernels/reduce.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Greater {
  template <class T>
  constexpr bool operator()(T a, T b) const {
    return a > b;
  }
};
struct Less {
  template <class T>
  constexpr bool operator()(T a, T b) const {
    return a < b;
  }
};

template <class Better>
Array arg_extreme(std::string_view op, const Array& x, std::optional<int> axis) {
  const Array flat = axis ? x : x.reshape({-1});
  const int over = axis ? normalize_axis(*axis, x.ndim(), op) : 0;
  const Shape& shape = flat.shape();
  if (shape[over] == 0) throw ArgumentError("[", op, "] nothing to choose from along axis ", over, " of ", x);
  const auto outer = shape.slice(0, over).size(), inner = shape.slice(over + 1, shape.ndim()).size();
  const UsingDevice here(x.device());
  Array y(shape.without(over), int32);
  const auto run = [&]<class T>(std::type_identity<T>, const Array& values) {
    kernels::arg_reduce<Better>(y.data<std::int32_t>(), values.data<T>(), outer, shape[over], inner);
  };
  if (x.dtype() == float64) run(std::type_identity<double>{}, flat);
  else if (is_float(x.dtype())) run(std::type_identity<float>{}, flat.to(float32));
  else run(std::type_identity<std::int64_t>{}, flat.to(int64));
  return y;
}

}  // namespace nodes

/// The int32 index of the largest element along `axis`, the first of equals, a NaN before any number; without an axis,
/// the index into the flattened x. Any dtype. An Array: there is no gradient.
/// Throws IndexError for an axis out of range, ArgumentError when there is nothing to choose from.
inline Array argmax(const Variable& x, std::optional<int> axis = {}) {
  return nodes::arg_extreme<nodes::Greater>("argmax", x.array(), axis);
}

}  // namespace dnn::inline DNN_ABI::inline functions
