/// Windows that slide over images, as GPU kernels count them: 32 bits, divided by multiplications.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>

#include "dnn/kernels/gpu/index.hpp"
#include "dnn/kernels/window.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

struct Window32 {
  Divisor pixels, columns, places, place_columns, cells, cell_columns, stride_y, stride_x;
  int h, k_h, out_h, pad_y, pad_x, dilate_y, dilate_x;

  /// For an image and a window that are not empty.
  explicit Window32(const Window2D& w)
      : pixels(w.pixels()),
        columns(w.w),
        places(w.places()),
        place_columns(w.out_w),
        cells(w.cells()),
        cell_columns(w.k_w),
        stride_y(w.s_y),
        stride_x(w.s_x),
        h(static_cast<int>(w.h)),
        k_h(static_cast<int>(w.k_h)),
        out_h(static_cast<int>(w.out_h)),
        pad_y(static_cast<int>(w.p_y)),
        pad_x(static_cast<int>(w.p_x)),
        dilate_y(static_cast<int>(w.d_y)),
        dilate_x(static_cast<int>(w.d_x)) {}

  /// The pixel of a cell of the window at a place, or -1 outside of the image.
  DNN_HD int pixel(Index32 place, Index32 cell) const {
    const auto [oy, ox] = place_columns.divide(place);
    const auto [ky, kx] = cell_columns.divide(cell);
    const int y = static_cast<int>(oy * stride_y.value + ky * static_cast<Index32>(dilate_y)) - pad_y;
    const int x = static_cast<int>(ox * stride_x.value + kx * static_cast<Index32>(dilate_x)) - pad_x;
    const int width = static_cast<int>(columns.value);
    return y < 0 || y >= h || x < 0 || x >= width ? -1 : y * width + x;
  }

  /// body(pixel, cell) for the cells of the window at a place that lie inside of the image, in order.
  template <class Body>
  DNN_HD void for_each_cell(Index32 place, Body body) const {
    const auto [oy, ox] = place_columns.divide(place);
    const int width = static_cast<int>(columns.value), k_w = static_cast<int>(cell_columns.value);
    const int top = static_cast<int>(oy * stride_y.value) - pad_y, left = static_cast<int>(ox * stride_x.value) - pad_x;
    for (int ky = 0, y = top; ky < k_h; ++ky, y += dilate_y) {
      if (y < 0 || y >= h) continue;
      for (int kx = 0, x = left; kx < k_w; ++kx, x += dilate_x) {
        if (x >= 0 && x < width) body(y * width + x, ky * k_w + kx);
      }
    }
  }

  /// body(place, cell) for the windows that see a pixel, by increasing cell.
  template <class Body>
  DNN_HD void for_each_window(Index32 pixel, Body body) const {
    const auto [row, column] = columns.divide(pixel);
    const int out_w = static_cast<int>(place_columns.value), k_w = static_cast<int>(cell_columns.value);
    for (int ky = 0, y = static_cast<int>(row) + pad_y; ky < k_h && y >= 0; ++ky, y -= dilate_y) {
      const auto [oy, rest_y] = stride_y.divide(static_cast<Index32>(y));
      if (rest_y != 0 || static_cast<int>(oy) >= out_h) continue;
      for (int kx = 0, x = static_cast<int>(column) + pad_x; kx < k_w && x >= 0; ++kx, x -= dilate_x) {
        const auto [ox, rest_x] = stride_x.divide(static_cast<Index32>(x));
        if (rest_x == 0 && static_cast<int>(ox) < out_w) {
          body(static_cast<int>(oy) * out_w + static_cast<int>(ox), ky * k_w + kx);
        }
      }
    }
  }
};

namespace detail {

/// part(first plane, planes) for as many planes of `plane` elements as indices of 32 bits reach.
template <class Part>
void for_each_plane_part(std::int64_t planes, std::int64_t plane, Part part) {
  const auto most = std::max<std::int64_t>(1, max_elements / std::max<std::int64_t>(plane, 1));
  for (std::int64_t first = 0; first < planes; first += most) part(first, std::min(most, planes - first));
}

}  // namespace detail

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
