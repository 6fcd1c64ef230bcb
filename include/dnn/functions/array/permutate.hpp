#pragma once

#include <cstdint>
#include <vector>

#include "dnn/functions/array/get_item.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct PermutateOptions {
  int axis = 0;
  bool inv = false;  ///< undo the permutation instead
};

/// y[i] = x[indices[i]] along `axis`; with `inv`, y[indices[i]] = x[i]. Any dtype.
/// Throws ArgumentError unless `indices` is a permutation of the axis.
inline Variable permutate(const Variable& x, const Array& indices, const PermutateOptions& options = {}) {
  const int along = normalize_axis(options.axis, x.ndim(), "permutate");
  const auto n = x.shape()[along];
  if (is_float(indices.dtype()) || indices.dtype() == boolean) {
    throw DTypeError("[permutate] indices are integers, not ", indices);
  }
  DNN_EXPECT("permutate", indices.shape() == Shape{n});
  const Array order = indices.to(int64).to(Device{});
  const UsingDevice host(Device{});
  Array inverse = full({n}, -1, int64);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto to = order.data<std::int64_t>()[i];
    if (to < 0 || to >= n || inverse.data<std::int64_t>()[to] >= 0) {
      throw ArgumentError("[permutate] indices[", i, "] = ", to, ": not a permutation of ", n, " elements");
    }
    inverse.data<std::int64_t>()[to] = i;
  }
  std::vector<Index> index(static_cast<std::size_t>(along), Slice{});
  index.push_back(options.inv ? inverse : order);
  return get_item(x, index);
}

}  // namespace dnn::inline DNN_ABI::inline functions
