#pragma once

#include <cstdint>

#include "dnn/functions/array/get_item.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// y[i] = x[i, t[i]]: one element of every row. x (N, C), any dtype; t (N,), integers.
/// Throws ArgumentError when the shapes do not fit, IndexError for an entry of t that is negative or not below C.
inline Variable select_item(const Variable& x, const Variable& t) {
  DNN_EXPECT("select_item", x.ndim() == 2);
  DNN_EXPECT("select_item", t.shape() == x.shape().slice(0, 1));
  if (is_float(t.dtype()) || t.dtype() == boolean) throw DTypeError("[select_item] t holds integers, not ", t.array());
  const Array columns = t.array().to(int64).to(Device{});
  const UsingDevice host(Device{});
  for (std::int64_t i = 0; i < t.size(); ++i) {
    const auto column = columns.data<std::int64_t>()[i];
    if (column < 0 || column >= x.shape()[1]) {
      throw IndexError("[select_item] t[", i, "] = ", column, " is not one of ", x.shape()[1], " columns");
    }
  }
  return get_item(x, {arange(t.size()), columns});
}

}  // namespace dnn::inline DNN_ABI::inline functions
