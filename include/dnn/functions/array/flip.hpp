#pragma once

#include <vector>

#include "dnn/functions/array/get_item.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x with `axis` in reverse order. Any dtype. Throws IndexError for an axis out of range.
inline Variable flip(const Variable& x, int axis) {
  std::vector<Index> index(static_cast<std::size_t>(normalize_axis(axis, x.ndim(), "flip")), Slice{});
  index.push_back(Slice{none, none, -1});
  return get_item(x, index);
}
inline Variable flipud(const Variable& x) { return flip(x, 0); }
inline Variable fliplr(const Variable& x) { return flip(x, 1); }

}  // namespace dnn::inline DNN_ABI::inline functions
