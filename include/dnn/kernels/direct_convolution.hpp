/// Convolutions without im2col: what one cell of the window sees at all places, one after the other, is part of a copy
/// of the image with zeros around it. A cell further down sees the same, some rows on. So the product W columns(x)
/// takes its second operand from one copy for each column of the window, or from one for all, not from one for each
/// cell.
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

/// The window of the transposed convolution of a window that moves by single pixels: it stands on the places and sees
/// from every pixel those that saw it.
inline Window2D transposed(const Window2D& w) noexcept {
  Window2D t = w;
  std::swap(t.h, t.out_h);
  std::swap(t.w, t.out_w);
  t.p_y = (w.k_h - 1) * w.d_y - w.p_y;
  t.p_x = (w.k_w - 1) * w.d_x - w.p_x;
  return t;
}

/// The copies of a channel, and the places of the window in the same distances: place (oy, ox) is number oy * row + ox.
///
/// Where the window moves by single pixels one copy can do, whose rows are those of the image with the zeros between
/// them. The numbers between a row of places and the next then mean nothing, and are computed along. Where these are
/// many, and where the window moves by more, each column of the window has a copy of just the pixels that it sees; and
/// each row of pixels that a cell may begin with, if the window moves by several.
struct WindowCopies {
  std::int64_t row;      // numbers from a row of places to the next
  std::int64_t places;   // numbers from the first place to the last
  std::int64_t wide;     // places, rounded up to a tile
  std::int64_t columns;  // of the window that have a copy of their own
  std::int64_t across;   // from what a column of the window sees to what the next one does
  std::int64_t phases;   // first rows
  std::int64_t rows;     // of a copy
  std::int64_t copy;     // elements of one
  std::int64_t size;     // of all copies of a channel

  template <class T>
  static WindowCopies of(const Window2D& w) {
    const std::int64_t width = tiles<T>().width;
    const auto packs = [&](std::int64_t distance) { return ((w.out_h - 1) * distance + w.out_w + width - 1) / width; };
    WindowCopies c{};
    c.row = w.w + w.p_x;
    const bool one = w.s_y == 1 && w.s_x == 1 && w.p_x >= 0 && w.out_w + (w.k_w - 1) * w.d_x <= c.row + w.p_x &&
                     8 * packs(c.row) <= 9 * packs(w.out_w);
    if (!one) c.row = w.out_w;
    c.places = (w.out_h - 1) * c.row + w.out_w;
    c.wide = (packs(c.row) + 1) / 2 * 2 * width;
    c.columns = one ? 1 : w.k_w;
    c.phases = std::min(w.s_y, (w.k_h - 1) * w.d_y + 1);
    const auto down = (w.k_h - 1) * w.d_y / w.s_y;
    c.rows = w.out_h + down;
    const auto end = c.wide + down * c.row + (one ? (w.k_w - 1) * w.d_x : 0);  // of the last tile of the last cell
    c.copy = (end + width - 1) / width * width;
    c.across = one ? w.d_x : c.phases * c.copy;
    c.size = c.columns * c.phases * c.copy;
    return c;
  }
};

/// Makes the copies of an image's channels between the zeros that are in `out` already.
template <class T>
void copy_for_window(const Window2D& w, const WindowCopies& copies, std::int64_t channels, const T* image, T* out) {
  for (std::int64_t c = 0; c < channels; ++c, image += w.pixels()) {
    for (std::int64_t kx = 0; kx < copies.columns; ++kx) {
      const auto left = kx * w.d_x - w.p_x;
      const auto xs = places_inside(copies.row, w.s_x, left, w.w);
      const T* from = image + xs.first * w.s_x + left;
      for (std::int64_t phase = 0; phase < copies.phases; ++phase, out += copies.copy) {
        const auto ys = places_inside(copies.rows, w.s_y, phase - w.p_y, w.h);
        for (auto row = ys.first; row < ys.last && xs.first < xs.last; ++row) {
          const T* in = from + (row * w.s_y + phase - w.p_y) * w.w;
          T* to = out + row * copies.row + xs.first;
          if (w.s_x == 1) {
            copy_row(in, to, xs.last - xs.first);
          } else {
            for (std::int64_t i = 0; i < xs.last - xs.first; ++i) to[i] = in[i * w.s_x];
          }
        }
      }
    }
  }
}

/// Where in the copies cell (c, ky, kx) sees its first place.
inline void cell_distances(const Window2D& w, const WindowCopies& copies, std::int64_t channels, std::int64_t* out) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t ky = 0; ky < w.k_h; ++ky) {
      const auto phase = ky * w.d_y % w.s_y, down = ky * w.d_y / w.s_y;
      for (std::int64_t kx = 0; kx < w.k_w; ++kx) {
        *out++ = c * copies.size + kx * copies.across + phase * copies.copy + down * copies.row;
      }
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
  const auto copies = WindowCopies::of<T>(w);
  const auto depth = in * w.cells(), panels = (out + rows - 1) / rows;
  const Scratch<std::int64_t> distances(depth);
  cell_distances(w, copies, in, distances.data());
  const Scratch<T> packed(groups * panels * rows * depth);
  for (std::int64_t g = 0; g < groups; ++g) {
    tile.pack_rows(packed.data() + g * panels * rows * depth, StridedMatrix<T>{W + g * out * depth, depth, 1}, out,
                   depth);
  }
  const auto worth = [](std::int64_t cost) {
    return std::max<std::int64_t>(1, (1 << 19) / std::max<std::int64_t>(cost, 1));
  };
  parallel_for(batch, worth(groups * out * depth * w.places()), [&](std::int64_t begin, std::int64_t end) {
    const Scratch<T> seen(in * copies.size);
    std::fill_n(seen.data(), in * copies.size, T(0));
    for (auto image = begin * groups; image < end * groups; ++image) {
      const auto g = image % groups;
      copy_for_window(w, copies, in, x + image * in * w.pixels(), seen.data());
      // Of a single image the channels are shared among the threads.
      parallel_for(panels, worth(rows * depth * w.places()), [&](std::int64_t first, std::int64_t last) {
        const Scratch<T> results(rows * copies.wide);
        for (auto o = first * rows; o < last * rows; o += rows) {
          const T* panel = packed.data() + (g * panels * rows + o) * depth;
          const auto count = std::min(rows, out - o);
          for (std::int64_t r = 0; r < rows; ++r) {
            std::fill_n(results.data() + r * copies.wide, copies.wide,
                        bias && r < count ? bias[g * out + o + r] : T(0));
          }
          for (std::int64_t j = 0; j < copies.places; j += 2 * width) {
            tile.multiply_distant(copies.places - j > width ? 2 : 1, depth, panel, seen.data() + j, distances.data(),
                                  results.data() + j, copies.wide);
          }
          for (std::int64_t r = 0; r < count; ++r) {
            T* to = y + (image * out + o + r) * w.places();
            for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
              copy_row(results.data() + r * copies.wide + oy * copies.row, to + oy * w.out_w, w.out_w);
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
  const auto copies = WindowCopies::of<T>(w);
  const auto depth = in * w.cells();
  const auto row_tiles = (out + rows - 1) / rows, cell_tiles = (depth + cells - 1) / cells;
  const Scratch<std::int64_t> distances(cell_tiles * cells);
  cell_distances(w, copies, in, distances.data());
  std::fill(distances.data() + depth, distances.data() + cell_tiles * cells, std::int64_t{0});

  std::int64_t row_distances[most_dot_rows];
  for (std::int64_t r = 0; r < rows; ++r) row_distances[r] = r * copies.wide;
  const auto size = groups * row_tiles * cell_tiles * dots;  // of one part's sums
  constexpr std::int64_t worth = 1 << 21;
  const auto cost = std::max<std::int64_t>(groups * out * depth * w.places(), 1);
  // Parts of some images and many places: short sums are mostly the work of adding their lanes.
  const auto most = std::min({batch / 2, batch * copies.places / 512, batch * cost / worth});
  const auto parts = size > (1 << 18) ? 1 : std::clamp<std::int64_t>(most, 1, 8);
  const Scratch<T> sums(parts * size);
  parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    // Images that share the second-level cache: the longer the sums, the rarer their lanes have to be added.
    const auto gy_image = row_tiles * rows * copies.wide, x_image = in * copies.size;
    const auto together = std::clamp<std::int64_t>((3 << 16) / (gy_image + x_image), 1, (batch + parts - 1) / parts);
    const Scratch<T> seen(together * x_image), spread(together * gy_image);
    std::fill_n(seen.data(), together * x_image, T(0));
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
            copy_for_window(w, copies, in, x + image * in * w.pixels(), seen.data() + i * x_image);
            for (std::int64_t o = 0; o < out; ++o) {
              for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
                copy_row(gy + ((image * out + o) * w.out_h + oy) * w.out_w,
                         spread.data() + i * gy_image + o * copies.wide + oy * copies.row, w.out_w);
              }
            }
          }
          T* to = part_sums + g * row_tiles * cell_tiles * dots;
          // What some cells see stays in the first-level cache.
          for (std::int64_t p = 0; p < cell_tiles; ++p) {
            for (std::int64_t o = 0; o < row_tiles; ++o) {
              tile.multiply_dots(images, copies.places, spread.data() + o * rows * copies.wide, gy_image, row_distances,
                                 seen.data(), x_image, distances.data() + p * cells, to + (o * cell_tiles + p) * dots);
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
