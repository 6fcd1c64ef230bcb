#pragma once

#include <limits>
#include <optional>
#include <string_view>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Clip {
  static constexpr std::string_view name = "Clip";
  static constexpr Retain retain = Retain::inputs;
  double low, high;

  template <class V>
  constexpr V forward(V x) const {
    return minimum(maximum(x, low), high);
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    return where((x >= low) & (x <= high), gy, 0);
  }
};

}  // namespace nodes

/// x limited to [low, high], elementwise; either bound may be `std::nullopt`. The gradient passes where
/// low <= x <= high, at the bounds too. NaN stays NaN. Float dtypes. Throws ArgumentError unless low <= high.
template <class = void>
Variable clip(const Variable& x, std::optional<double> low, std::optional<double> high) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double lower = low.value_or(-infinity), upper = high.value_or(infinity);
  DNN_EXPECT("clip", lower <= upper);
  return elementwise(nodes::Clip{lower, upper}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
