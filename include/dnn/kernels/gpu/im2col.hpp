/// The matrix of what a sliding window sees of an image, and its transpose, on the GPU: kernels/im2col.hpp's contract.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>

#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/kernels/gpu/window.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

namespace detail {

template <class T>
struct Im2Col {
  Window32 w;
  const T* image;
  T* columns;
  std::int64_t ld;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [row, place] = w.places.divide(static_cast<Index32>(i));
    const auto [channel, cell] = w.cells.divide(row);
    const int pixel = w.pixel(place, cell);
    columns[row * ld + place] = pixel < 0 ? T{} : image[channel * w.pixels.value + static_cast<Index32>(pixel)];
  }
};

template <class T>
struct Col2Im {
  Window32 w;
  const T* columns;
  std::int64_t ld;
  T* image;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [channel, pixel] = w.pixels.divide(static_cast<Index32>(i));
    const T* rows = columns + channel * w.cells.value * ld;
    T sum = image[i];
    w.for_each_window(pixel, [&](int place, int cell) { sum += rows[cell * ld + place]; });
    image[i] = sum;
  }
};

}  // namespace detail

template <class T>
void im2col(const Window2D& w, std::int64_t channels, const T* image, T* columns, std::int64_t ld) {
  const auto rows = w.cells() * w.places();
  if (rows == 0) return;
  Window2D seen = w;
  if (w.pixels() == 0) seen.h = 0, seen.w = 1;  // nothing is inside
  detail::for_each_plane_part(channels, rows, [&](std::int64_t first, std::int64_t count) {
    for_each_index("im2col", count * rows,
                   detail::Im2Col<T>{Window32(seen), image + first * w.pixels(), columns + first * w.cells() * ld, ld});
  });
}

template <class T>
void col2im(const Window2D& w, std::int64_t channels, const T* columns, std::int64_t ld, T* image) {
  if (w.places() == 0) return;
  detail::for_each_plane_part(channels, w.pixels(), [&](std::int64_t first, std::int64_t count) {
    for_each_index("col2im", count * w.pixels(),
                   detail::Col2Im<T>{Window32(w), columns + first * w.cells() * ld, ld, image + first * w.pixels()});
  });
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
