#pragma once

#include <cstdint>
#include <vector>

#include "dnn/functions/array/get_item.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// order[i] = indices[i], or n where that is not one of n; or the inverse of that, in an array full of n.
struct KnownOrder {
  std::int64_t* order;
  const std::int64_t* indices;
  std::int64_t n;
  bool inverse;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t to = indices[i];
    const bool known = to >= 0 && to < n;
    if (!inverse) order[i] = known ? to : n;
    else if (known) order[to] = i;
  }
};

}  // namespace nodes

struct PermutateOptions {
  int axis = 0;
  bool inv = false;  ///< undo the permutation instead
};

/// y[i] = x[indices[i]] along `axis`; with `inv`, y[indices[i]] = x[i]. Any dtype.
/// Throws ArgumentError unless `indices` is a permutation of the axis. Where they are on x's GPU, and not in debug
/// mode, what is out of range gives NaN (-1 in integers) instead, as do places that no index leads to.
inline Variable permutate(const Variable& x, const Array& indices, const PermutateOptions& options = {}) {
  const int along = normalize_axis(options.axis, x.ndim(), "permutate");
  const auto n = x.shape()[along];
  if (is_float(indices.dtype()) || indices.dtype() == boolean) {
    throw DTypeError("[permutate] indices are integers, not ", indices);
  }
  DNN_EXPECT("permutate", indices.shape() == Shape{n});
  const Array given = indices.to(int64);
  if (nodes::is_checked(given, x.device())) {
    const Array host = given.to(Device{});
    std::vector<bool> seen(static_cast<std::size_t>(n));
    std::int64_t i = 0;
    for (const auto to : host.span<std::int64_t>()) {
      if (to < 0 || to >= n || seen[static_cast<std::size_t>(to)]) {
        throw ArgumentError("[permutate] indices[", i, "] = ", to, ": not a permutation of ", n, " elements");
      }
      seen[static_cast<std::size_t>(to)] = true;
      ++i;
    }
  }
  const UsingDevice here(x.device());
  const Array there = given.to(x.device());
  Array order = full({n}, n, int64);
  kernels::for_each_index("permutate", n, 32768,
                          nodes::KnownOrder{order.data<std::int64_t>(), there.data<std::int64_t>(), n, options.inv});
  std::vector<Index> index(static_cast<std::size_t>(along), Slice{});
  index.push_back(order);
  return get_item(x, index);
}

}  // namespace dnn::inline DNN_ABI::inline functions
