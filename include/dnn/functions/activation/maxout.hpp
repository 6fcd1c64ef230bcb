#pragma once

#include <cstdint>

#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/max.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// The largest of every `pool_size` neighbours along `axis`, which shrinks by that factor.
/// Throws ArgumentError unless pool_size divides the axis.
inline Variable maxout(const Variable& x, std::int64_t pool_size, int axis = 1) {
  const int along = normalize_axis(axis, x.ndim(), "maxout");
  DNN_EXPECT("maxout", pool_size >= 1);
  DNN_EXPECT("maxout", x.shape()[along] % pool_size == 0);
  const Shape pools = x.shape().with(along, x.shape()[along] / pool_size).with_inserted(along + 1, pool_size);
  return max(reshape(x, pools), along + 1);
}

}  // namespace dnn::inline DNN_ABI::inline functions
