#pragma once

#include <cstdint>

#include "dnn/functions/array/get_item.hpp"
#include "dnn/functions/array/reshape.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// Where the element that each row has in its column is, among all; `none` where there is no such column.
struct SelectedItem {
  std::int64_t* items;
  const std::int64_t* chosen;
  std::int64_t columns, none;

  DNN_HD void operator()(std::int64_t row) const {
    const std::int64_t column = chosen[row];
    items[row] = column >= 0 && column < columns ? row * columns + column : none;
  }
};

}  // namespace nodes

/// y[i] = x[i, t[i]]: one element of every row. x (N, C), any dtype; t (N,), integers.
/// Throws ArgumentError when the shapes do not fit, IndexError for an entry of t that is negative or not below C; where
/// t is on x's GPU, and not in debug mode, that gives NaN (-1 in integers) instead.
inline Variable select_item(const Variable& x, const Variable& t) {
  DNN_EXPECT("select_item", x.ndim() == 2);
  DNN_EXPECT("select_item", t.shape() == x.shape().slice(0, 1));
  if (is_float(t.dtype()) || t.dtype() == boolean) throw DTypeError("[select_item] t holds integers, not ", t.array());
  const auto columns = x.shape()[1];
  const Array chosen = t.array().to(int64);
  if (nodes::is_checked(chosen, x.device())) {
    const Array host = chosen.to(Device{});
    std::int64_t i = 0;
    for (const auto column : host.span<std::int64_t>()) {
      if (column < 0 || column >= columns) {
        throw IndexError("[select_item] t[", i, "] = ", column, " is not one of ", columns, " columns");
      }
      ++i;
    }
  }
  const UsingDevice here(x.device());
  const Array there = chosen.to(x.device());
  Array items(t.shape(), int64);
  kernels::for_each_index(
      "select_item", t.size(), 32768,
      nodes::SelectedItem{items.data<std::int64_t>(), there.data<std::int64_t>(), columns, x.size()});
  return get_item(reshape(x, {x.size()}), {items});
}

}  // namespace dnn::inline DNN_ABI::inline functions
