/// The matrix of what a sliding window sees of an image, and its transpose.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "dnn/core/abi.hpp"
#include "dnn/kernels/window.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/im2col.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// Rows of an image are short: a call of memcpy for each would cost more than the copying. Pieces of fixed size, of
/// which the last may overlap the one before.
template <class T>
void copy_row(const T* in, T* out, std::int64_t n) noexcept {
  constexpr std::int64_t piece = 8;
  if (n >= piece) {
    for (std::int64_t i = 0; i + piece <= n; i += piece) std::memcpy(out + i, in + i, piece * sizeof(T));
    std::memcpy(out + n - piece, in + n - piece, piece * sizeof(T));
  } else if (n >= piece / 2) {
    std::memcpy(out, in, piece / 2 * sizeof(T));
    std::memcpy(out + n - piece / 2, in + n - piece / 2, piece / 2 * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = in[i];
  }
}
template <class T>
void add_row(const T* in, T* out, std::int64_t n) noexcept {
  constexpr std::int64_t piece = 8;
  typedef T Vector __attribute__((vector_size(piece * sizeof(T))));
  std::int64_t i = 0;
  for (; i + piece <= n; i += piece) {
    Vector a, b;
    std::memcpy(&a, in + i, sizeof a);
    std::memcpy(&b, out + i, sizeof b);
    b += a;
    std::memcpy(out + i, &b, sizeof b);
  }
  for (; i < n; ++i) out[i] += in[i];
}

/// The places [first, last) of one axis at which an offset from `o * stride` lies inside [0, size).
struct PlaceRange {
  std::int64_t first, last;
};
inline PlaceRange places_inside(std::int64_t places, std::int64_t stride, std::int64_t offset,
                                std::int64_t size) noexcept {
  const auto first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const auto last = offset >= size ? 0 : (size - 1 - offset) / stride + 1;
  return {std::min(first, places), std::max(std::min(first, places), std::min(last, places))};
}

/// body(column row, place row, first place, last place, pixel) for every row of `out_w` places, `pixel` being that of
/// the first place inside the image; first == last where the whole row is outside.
template <class Body>
void for_each_row(const Window2D& w, std::int64_t channels, Body body) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t ky = 0; ky < w.k_h; ++ky) {
      const auto ys = places_inside(w.out_h, w.s_y, ky * w.d_y - w.p_y, w.h);
      for (std::int64_t kx = 0; kx < w.k_w; ++kx) {
        const auto xs = places_inside(w.out_w, w.s_x, kx * w.d_x - w.p_x, w.w);
        const auto row = (c * w.k_h + ky) * w.k_w + kx;
        for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
          if (oy < ys.first || oy >= ys.last || xs.first == xs.last) {
            body(row, oy, std::int64_t{0}, std::int64_t{0}, std::int64_t{0});
          } else {
            const auto y = oy * w.s_y - w.p_y + ky * w.d_y, x = xs.first * w.s_x - w.p_x + kx * w.d_x;
            body(row, oy, xs.first, xs.last, (c * w.h + y) * w.w + x);
          }
        }
      }
    }
  }
}

}  // namespace detail

/// columns[(c, ky, kx), (oy, ox)] = the pixel of channel c there, 0 outside. Rows of `columns` are `ld` apart, so that
/// the columns of several images can stand side by side.
template <class T>
void im2col(const Window2D& w, std::int64_t channels, const T* image, T* columns, std::int64_t ld) {
#if DNN_CUDA
  if (on_gpu()) return gpu::im2col(w, channels, image, columns, ld);
#endif
  detail::for_each_row(w, channels, [&](auto row, auto oy, auto first, auto last, auto pixel) {
    T* out = columns + row * ld + oy * w.out_w;
    const T* in = image + pixel;
    for (std::int64_t i = 0; i < first; ++i) out[i] = 0;
    if (w.s_x == 1) {
      detail::copy_row(in, out + first, last - first);
    } else {
      for (std::int64_t i = 0; i < last - first; ++i) out[first + i] = in[i * w.s_x];
    }
    for (std::int64_t i = last; i < w.out_w; ++i) out[i] = 0;
  });
}

/// The transpose of im2col: adds every column entry to its pixel.
template <class T>
void col2im(const Window2D& w, std::int64_t channels, const T* columns, std::int64_t ld, T* image) {
#if DNN_CUDA
  if (on_gpu()) return gpu::col2im(w, channels, columns, ld, image);
#endif
  detail::for_each_row(w, channels, [&](auto row, auto oy, auto first, auto last, auto pixel) {
    const T* in = columns + row * ld + oy * w.out_w + first;
    T* out = image + pixel;
    if (w.s_x == 1) {
      detail::add_row(in, out, last - first);
    } else {
      for (std::int64_t i = 0; i < last - first; ++i) out[i * w.s_x] += in[i];
    }
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
