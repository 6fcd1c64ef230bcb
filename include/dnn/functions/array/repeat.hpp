#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "dnn/functions/array/flatten.hpp"
#include "dnn/functions/array/get_item.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// Every element along `axis` as often as `repeats` says: one number for all, or one for each. Without an axis, of the
/// flattened x. Any dtype. Throws ArgumentError for a negative number or a wrong count of them.
inline Variable repeat(const Variable& x, std::span<const std::int64_t> repeats, std::optional<int> axis = {}) {
  if (!axis) return repeat(flatten(x), repeats, 0);
  const int along = normalize_axis(*axis, x.ndim(), "repeat");
  const auto n = x.shape()[along];
  DNN_EXPECT("repeat", (repeats.size() == 1 || static_cast<std::int64_t>(repeats.size()) == n));
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto times = repeats[repeats.size() == 1 ? 0 : static_cast<std::size_t>(i)];
    DNN_EXPECT("repeat", times >= 0);
    rows.insert(rows.end(), static_cast<std::size_t>(times), i);
  }
  std::vector<Index> index(static_cast<std::size_t>(along), Slice{});
  index.push_back(array_from(rows));
  return get_item(x, index);
}
inline Variable repeat(const Variable& x, std::initializer_list<std::int64_t> repeats, std::optional<int> axis = {}) {
  return repeat(x, std::span(repeats.begin(), repeats.size()), axis);
}
inline Variable repeat(const Variable& x, std::int64_t repeats, std::optional<int> axis = {}) {
  return repeat(x, {repeats}, axis);
}

}  // namespace dnn::inline DNN_ABI::inline functions
