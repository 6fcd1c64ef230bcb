#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "dnn/functions/array/concat.hpp"
#include "dnn/functions/array/reshape.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x cut along `axis` before each of the `boundaries`, which do not decrease: `split_axis(x, {2, 5}, 0)` gives rows
/// 0 and 1, rows 2 to 4, and the rest; boundaries beyond the end give empty pieces. Any dtype.
/// Throws ArgumentError for decreasing or negative boundaries, IndexError for an axis out of range.
inline Variables split_axis(const Variable& x, std::span<const std::int64_t> boundaries, int axis) {
  const int along = normalize_axis(axis, x.ndim(), "split_axis");
  const auto length = x.shape()[along];
  std::vector<std::int64_t> sizes;
  std::int64_t begin = 0;
  for (const auto boundary : boundaries) {
    const auto end = std::min(boundary, length);
    DNN_EXPECT("split_axis", begin <= end);
    sizes.push_back(end - begin);
    begin = end;
  }
  sizes.push_back(length - begin);
  return make_ref<nodes::SplitAxis>(along, std::move(sizes))->apply({&x, 1});
}
inline Variables split_axis(const Variable& x, std::initializer_list<std::int64_t> boundaries, int axis) {
  return split_axis(x, std::span(boundaries.begin(), boundaries.size()), axis);
}
/// x cut into `sections` equal pieces. Throws ArgumentError unless they divide the axis.
inline Variables split_axis(const Variable& x, std::int64_t sections, int axis) {
  const int along = normalize_axis(axis, x.ndim(), "split_axis");
  DNN_EXPECT("split_axis", sections >= 1);
  DNN_EXPECT("split_axis", x.shape()[along] % sections == 0);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(sections), x.shape()[along] / sections);
  return make_ref<nodes::SplitAxis>(along, std::move(sizes))->apply({&x, 1});
}

/// The slices of x along `axis`, without that axis; `stack` undoes it.
inline Variables separate(const Variable& x, int axis = 0) {
  const int along = normalize_axis(axis, x.ndim(), "separate");
  Variables pieces;
  if (x.shape()[along] > 0) pieces = split_axis(x, x.shape()[along], along);
  for (auto& piece : pieces) piece = reshape(piece, x.shape().without(along));
  return pieces;
}

}  // namespace dnn::inline DNN_ABI::inline functions
