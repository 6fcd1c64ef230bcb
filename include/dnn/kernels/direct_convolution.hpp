/// Convolutions whose window moves by single pixels, straight from the image: what a cell of the window sees at all
/// places is the image itself, some distance on. So the product W columns(x) needs no columns, only zeros around the
/// image.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "dnn/kernels/gemm.hpp"
#include "dnn/kernels/im2col.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/kernels/tiles.hpp"

namespace dnn::inline DNN_ABI::kernels::detail {

/// Whether the window moves by single pixels and stands at every place it can.
inline bool moves_by_pixels(const Window2D& w) noexcept {
  return w.s_y == 1 && w.s_x == 1 && w.out_h == w.h + 2 * w.p_y - (w.k_h - 1) * w.d_y &&
         w.out_w == w.w + 2 * w.p_x - (w.k_w - 1) * w.d_x;
}

/// The window of the transposed convolution: it stands on the places and sees from every pixel those that saw it.
inline Window2D transposed(const Window2D& w) noexcept {
  Window2D t = w;
  std::swap(t.h, t.out_h);
  std::swap(t.w, t.out_w);
  t.p_y = (w.k_h - 1) * w.d_y - w.p_y;
  t.p_x = (w.k_w - 1) * w.d_x - w.p_x;
  return t;
}
/// Whether it can be computed as a convolution in its turn.
inline bool moves_by_pixels_transposed(const Window2D& w) noexcept {
  const Window2D t = transposed(w);
  return t.p_y >= 0 && t.p_x >= 0 && moves_by_pixels(t);
}

/// A plane of an image with zeros around it, and the places of the window in the same distances: place (oy, ox) is
/// number oy * row + ox. The numbers between the end of a row of places and the next row mean nothing; they are
/// computed along. The zeros at the right of a row are those at the left of the next.
struct PaddedPlane {
  std::int64_t row;     // numbers from a row to the next
  std::int64_t places;  // numbers from the first place to the last
  std::int64_t wide;    // elements of a row of results: whole packs
  std::int64_t size;    // of the padded image

  template <class T>
  static PaddedPlane of(const Window2D& w) {
    const std::int64_t width = tiles<T>().width;
    PaddedPlane p{};
    p.row = w.w + w.p_x;
    p.places = (w.out_h - 1) * p.row + w.out_w;
    p.wide = (p.places + 2 * width - 1) / (2 * width) * 2 * width;
    // The last pack of places looks this far.
    const auto reach = p.wide + (w.k_h - 1) * w.d_y * p.row + (w.k_w - 1) * w.d_x;
    p.size = (std::max((w.h + 2 * w.p_y) * p.row + w.p_x, reach) + width - 1) / width * width;
    return p;
  }
};

/// Copies the planes of an image between the zeros that are in `out` already.
template <class T>
void pad_planes(const Window2D& w, const PaddedPlane& plane, std::int64_t channels, const T* image, T* out) {
  for (std::int64_t c = 0; c < channels; ++c) {
    T* to = out + c * plane.size + w.p_y * plane.row + w.p_x;
    for (std::int64_t y = 0; y < w.h; ++y) copy_row(image + (c * w.h + y) * w.w, to + y * plane.row, w.w);
  }
}

/// How far on the pixel under cell (c, ky, kx) is.
inline void cell_distances(const Window2D& w, const PaddedPlane& plane, std::int64_t channels, std::int64_t* out) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t ky = 0; ky < w.k_h; ++ky) {
      for (std::int64_t kx = 0; kx < w.k_w; ++kx) *out++ = c * plane.size + ky * w.d_y * plane.row + kx * w.d_x;
    }
  }
}

/// y = W x + bias of a batch, with the windows of `w`. Layouts: x (batch, groups, in, h, w), W (groups, out, in, kh,
/// kw), y (batch, groups, out, out_h, out_w); `bias` (groups, out) may be null.
template <class T>
void correlate(const Window2D& w, std::int64_t batch, std::int64_t groups, std::int64_t in, std::int64_t out,
               const T* x, const T* W, const T* bias, T* y) {
  const auto& tile = tiles<T>();
  const std::int64_t width = tile.width, rows = tile.rows;
  const auto plane = PaddedPlane::of<T>(w);
  const auto depth = in * w.cells(), panels = (out + rows - 1) / rows;
  const Scratch<std::int64_t> distances(depth);
  cell_distances(w, plane, in, distances.data());
  const Scratch<T> packed(groups * panels * rows * depth);
  for (std::int64_t g = 0; g < groups; ++g) {
    tile.pack_rows(packed.data() + g * panels * rows * depth, StridedMatrix<T>{W + g * out * depth, depth, 1}, out,
                   depth);
  }
  const auto worth = [](std::int64_t cost) {
    return std::max<std::int64_t>(1, (1 << 19) / std::max<std::int64_t>(cost, 1));
  };
  parallel_for(batch, worth(groups * out * depth * w.places()), [&](std::int64_t begin, std::int64_t end) {
    const Scratch<T> padded(in * plane.size);
    std::fill_n(padded.data(), in * plane.size, T(0));
    for (auto image = begin * groups; image < end * groups; ++image) {
      const auto g = image % groups;
      pad_planes(w, plane, in, x + image * in * w.pixels(), padded.data());
      // Of a single image the channels are shared among the threads.
      parallel_for(panels, worth(rows * depth * w.places()), [&](std::int64_t first, std::int64_t last) {
        const Scratch<T> results(rows * plane.wide);
        for (auto o = first * rows; o < last * rows; o += rows) {
          const T* panel = packed.data() + (g * panels * rows + o) * depth;
          const auto count = std::min(rows, out - o);
          for (std::int64_t r = 0; r < rows; ++r) {
            std::fill_n(results.data() + r * plane.wide, plane.wide, bias && r < count ? bias[g * out + o + r] : T(0));
          }
          for (std::int64_t j = 0; j < plane.places; j += 2 * width) {
            tile.multiply_distant(plane.places - j > width ? 2 : 1, depth, panel, padded.data() + j, distances.data(),
                                  results.data() + j, plane.wide);
          }
          for (std::int64_t r = 0; r < count; ++r) {
            T* to = y + (image * out + o + r) * w.places();
            for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
              copy_row(results.data() + r * plane.wide + oy * plane.row, to + oy * w.out_w, w.out_w);
            }
          }
        }
      });
    }
  });
}

/// The weights of the transposed convolution: (groups, out, in, kh, kw) becomes (groups, in, out, kh, kw) with the
/// cells of each window from last to first.
template <class T>
void transpose_weights(std::int64_t groups, std::int64_t in, std::int64_t out, std::int64_t cells, const T* W,
                       T* result) {
  for (std::int64_t g = 0; g < groups; ++g, W += out * in * cells, result += out * in * cells) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t c = 0; c < in; ++c) {
        std::reverse_copy(W + (o * in + c) * cells, W + (o * in + c + 1) * cells, result + (c * out + o) * cells);
      }
    }
  }
}

/// gW (groups, out, in, kh, kw) = the gradient of <correlate(x, W), gy> with respect to W. The batch is cut in parts
/// that depend on the sizes alone, each with a sum of its own; the parts are added in order.
template <class T>
void correlate_weights(const Window2D& w, std::int64_t batch, std::int64_t groups, std::int64_t in, std::int64_t out,
                       const T* x, const T* gy, T* gW) {
  const auto& tile = tiles<T>();
  const std::int64_t rows = tile.rows_of_dots, cells = tile.columns_of_dots, dots = rows * cells;
  const auto plane = PaddedPlane::of<T>(w);
  const auto depth = in * w.cells();
  const auto row_tiles = (out + rows - 1) / rows, cell_tiles = (depth + cells - 1) / cells;
  const Scratch<std::int64_t> distances(cell_tiles * cells);
  cell_distances(w, plane, in, distances.data());
  std::fill(distances.data() + depth, distances.data() + cell_tiles * cells, std::int64_t{0});

  std::int64_t row_distances[most_dot_rows];
  for (std::int64_t r = 0; r < rows; ++r) row_distances[r] = r * plane.wide;
  const auto size = groups * row_tiles * cell_tiles * dots;  // of one part's sums
  constexpr std::int64_t worth = 1 << 21;
  const auto cost = std::max<std::int64_t>(groups * out * depth * w.places(), 1);
  const auto parts = size > (1 << 18) ? 1 : std::clamp<std::int64_t>(std::min(batch / 2, batch * cost / worth), 1, 8);
  const Scratch<T> sums(parts * size);
  parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    // Images that share the second-level cache: the longer the sums, the rarer their lanes have to be added.
    const auto gy_image = row_tiles * rows * plane.wide, padded_image = in * plane.size;
    const auto together =
        std::clamp<std::int64_t>((1 << 17) / (gy_image + padded_image), 1, (batch + parts - 1) / parts);
    const Scratch<T> padded(together * padded_image), spread(together * gy_image);
    std::fill_n(padded.data(), together * padded_image, T(0));
    std::fill_n(spread.data(), together * gy_image, T(0));
    for (auto part = begin; part < end; ++part) {
      T* const part_sums = sums.data() + part * size;
      std::fill_n(part_sums, size, T(0));
      const auto last = batch * (part + 1) / parts;
      for (auto first = batch * part / parts; first < last; first += together) {
        const auto images = std::min(together, last - first);
        for (std::int64_t g = 0; g < groups; ++g) {
          for (std::int64_t i = 0; i < images; ++i) {
            const auto image = (first + i) * groups + g;
            pad_planes(w, plane, in, x + image * in * w.pixels(), padded.data() + i * padded_image);
            for (std::int64_t o = 0; o < out; ++o) {
              for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
                copy_row(gy + ((image * out + o) * w.out_h + oy) * w.out_w,
                         spread.data() + i * gy_image + o * plane.wide + oy * plane.row, w.out_w);
              }
            }
          }
          T* to = part_sums + g * row_tiles * cell_tiles * dots;
          for (std::int64_t o = 0; o < row_tiles; ++o) {
            for (std::int64_t p = 0; p < cell_tiles; ++p, to += dots) {
              tile.multiply_dots(images, plane.places, spread.data() + o * rows * plane.wide, gy_image, row_distances,
                                 padded.data(), padded_image, distances.data() + p * cells, to);
            }
          }
        }
      }
    }
  });
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t p = 0; p < depth; ++p) {
        const auto at = ((g * row_tiles + o / rows) * cell_tiles + p / cells) * dots + p % cells * rows + o % rows;
        T sum = sums.data()[at];
        for (std::int64_t part = 1; part < parts; ++part) sum += sums.data()[part * size + at];
        gW[(g * out + o) * depth + p] = sum;
      }
    }
  }
}

}  // namespace dnn::inline DNN_ABI::kernels::detail
