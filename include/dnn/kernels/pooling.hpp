/// Pooling over windows of the planes (images times channels) of an array.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "dnn/kernels/im2col.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/pooling.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// body(plane index) for every plane, in parallel.
template <class Body>
void for_each_plane(const Window2D& w, std::int64_t planes, Body body) {
  const auto cost = std::max<std::int64_t>(w.places() * w.cells(), 1);
  parallel_for(planes, std::max<std::int64_t>(1, 32768 / cost), [&](std::int64_t begin, std::int64_t end) {
    for (auto plane = begin; plane < end; ++plane) body(plane);
  });
}

/// The pixel of cell `cell` of the window at (oy, ox), or -1 outside of the image.
inline std::int64_t pixel_of(const Window2D& w, std::int64_t oy, std::int64_t ox, std::int64_t cell) noexcept {
  const auto y = oy * w.s_y - w.p_y + cell / w.k_w * w.d_y, x = ox * w.s_x - w.p_x + cell % w.k_w * w.d_x;
  return y < 0 || y >= w.h || x < 0 || x >= w.w ? -1 : y * w.w + x;
}

/// One cell of the windows of a row: takes the pixels in[0], in[stride], ... where they are larger.
template <class T>
void take_larger(const T* __restrict in, std::int64_t stride, std::int64_t n, std::int32_t number, T* __restrict best,
                 std::int32_t* __restrict cell) {
  for (std::int64_t i = 0; i < n; ++i) {
    const T value = in[i * stride], old = best[i];
    const bool larger = !(value <= old) & (old == old);  // NaN is, and stays
    best[i] = larger ? value : old;
    cell[i] = larger ? number : cell[i];
  }
}

}  // namespace detail

/// y = the largest pixel under the window, NaN if there is one; cells outside of the image do not count. `cells` gets
/// the number of the first cell that holds it (0 where the window sees nothing larger than -infinity).
template <class T>
void max_pooling(const Window2D& w, std::int64_t planes, const T* x, T* y, std::int32_t* cells) {
#if DNN_CUDA
  if (on_gpu()) return gpu::max_pooling(w, planes, x, y, cells);
#endif
  detail::for_each_plane(w, planes, [&](std::int64_t plane) {
    T* best = y + plane * w.places();
    std::int32_t* cell = cells + plane * w.places();
    std::fill_n(best, w.places(), -std::numeric_limits<T>::infinity());
    std::fill_n(cell, w.places(), 0);
    detail::for_each_row(w, 1, [&](auto number, auto oy, auto first, auto last, auto pixel) {
      const auto at = oy * w.out_w + first;
      detail::take_larger(x + plane * w.pixels() + pixel, w.s_x, last - first, static_cast<std::int32_t>(number),
                          best + at, cell + at);
    });
  });
}

/// y = the pixel in the given cell of every window, 0 outside of the image. On the GPU, where nobody has looked at
/// them, cells may be -1: unknown, what depends on them is NaN.
template <class T>
void gather_cells(const Window2D& w, std::int64_t planes, const T* x, const std::int32_t* cells, T* y) {
#if DNN_CUDA
  if (on_gpu()) return gpu::gather_cells(w, planes, x, cells, y);
#endif
  detail::for_each_plane(w, planes, [&](std::int64_t plane) {
    auto i = plane * w.places();
    for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
      for (std::int64_t ox = 0; ox < w.out_w; ++ox, ++i) {
        const auto pixel = detail::pixel_of(w, oy, ox, cells[i]);
        y[i] = pixel < 0 ? T(0) : x[plane * w.pixels() + pixel];
      }
    }
  });
}

/// The transpose of gather_cells: every y is added to the pixel in the given cell of its window.
template <class T>
void scatter_cells(const Window2D& w, std::int64_t planes, const T* y, const std::int32_t* cells, T* x) {
#if DNN_CUDA
  if (on_gpu()) return gpu::scatter_cells(w, planes, y, cells, x);
#endif
  detail::for_each_plane(w, planes, [&](std::int64_t plane) {
    T* image = x + plane * w.pixels();
    std::fill_n(image, w.pixels(), T(0));
    auto i = plane * w.places();
    for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
      for (std::int64_t ox = 0; ox < w.out_w; ++ox, ++i) {
        const auto pixel = detail::pixel_of(w, oy, ox, cells[i]);
        if (pixel >= 0) image[pixel] += y[i];
      }
    }
  });
}

/// y = scale * the sum of the pixels under the window.
template <class T>
void sum_windows(const Window2D& w, std::int64_t planes, const T* x, double scale, T* y) {
#if DNN_CUDA
  if (on_gpu()) return gpu::sum_windows(w, planes, x, scale, y);
#endif
  detail::for_each_plane(w, planes, [&](std::int64_t plane) {
    T* sum = y + plane * w.places();
    const T* image = x + plane * w.pixels();
    std::fill_n(sum, w.places(), T(0));
    detail::for_each_row(w, 1, [&](auto, auto oy, auto first, auto last, auto pixel) {
      T* out = sum + oy * w.out_w + first;
      const T* in = image + pixel;
      for (std::int64_t i = 0; i < last - first; ++i) out[i] += in[i * w.s_x];
    });
    for (std::int64_t i = 0; i < w.places(); ++i) sum[i] *= static_cast<T>(scale);
  });
}

/// The transpose of sum_windows: scale * y is added to every pixel under its window.
template <class T>
void spread_windows(const Window2D& w, std::int64_t planes, const T* y, double scale, T* x) {
#if DNN_CUDA
  if (on_gpu()) return gpu::spread_windows(w, planes, y, scale, x);
#endif
  detail::for_each_plane(w, planes, [&](std::int64_t plane) {
    T* image = x + plane * w.pixels();
    std::fill_n(image, w.pixels(), T(0));
    detail::for_each_row(w, 1, [&](auto, auto oy, auto first, auto last, auto pixel) {
      const T* in = y + plane * w.places() + oy * w.out_w + first;
      T* out = image + pixel;
      for (std::int64_t i = 0; i < last - first; ++i) out[i * w.s_x] += in[i];
    });
    for (std::int64_t i = 0; i < w.pixels(); ++i) image[i] *= static_cast<T>(scale);
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
