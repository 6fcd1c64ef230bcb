/// Places that an array names: what indexing and table lookup work on.
#pragma once

#include <array>
#include <cstdint>

#include "dnn/core/shape.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// A grid of elements that lies at every place in one array, and one after the other, `step` apart, in another. A
/// place may also be `zeros` or `unknown`: read as elements whose bits are all 0 or all 1 (a NaN), and not written.
struct PlacedGrid {
  static constexpr std::int64_t zeros = -1, unknown = -2;

  const std::int64_t* places;  // on the current device
  std::int64_t count;          // of places
  std::int64_t step;
  std::int64_t size = 1;  // of the grid
  int ndim = 0;
  std::int64_t sizes[max_ndim] = {}, placed[max_ndim] = {}, listed[max_ndim] = {};  // strides in both arrays

  PlacedGrid(const std::int64_t* where, std::int64_t n, std::int64_t place_step, const Shape& grid,
             const std::array<std::int64_t, max_ndim>& placed_strides,
             const std::array<std::int64_t, max_ndim>& listed_strides)
      : places(where), count(n), step(place_step), size(grid.size()), ndim(grid.ndim()) {
    for (int i = 0; i < ndim; ++i) {
      sizes[i] = grid[i];
      placed[i] = placed_strides[static_cast<std::size_t>(i)];
      listed[i] = listed_strides[static_cast<std::size_t>(i)];
    }
  }

  struct Offsets {
    std::int64_t placed, listed;
  };
  DNN_HD Offsets offsets(std::int64_t i) const {
    Offsets out{0, 0};
    for (int axis = ndim - 1; axis >= 0; --axis) {
      out.placed += i % sizes[axis] * placed[axis];
      out.listed += i % sizes[axis] * listed[axis];
      i /= sizes[axis];
    }
    return out;
  }

  /// The grid as rows of its last axis, with the strides along it.
  struct Rows {
    std::int64_t columns, rows, placed_step, listed_step;
  };
  Rows rows() const noexcept {
    if (ndim == 0) return {1, 1, 1, 1};
    const auto columns = sizes[ndim - 1];
    return {columns, columns == 0 ? 0 : size / columns, placed[ndim - 1], listed[ndim - 1]};
  }
};

}  // namespace dnn::inline DNN_ABI::kernels
