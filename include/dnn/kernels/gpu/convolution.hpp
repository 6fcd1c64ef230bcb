/// 2-D convolution on the GPU as products of operands that look up their elements in the images ("implicit GEMM"): no
/// column matrix is stored. kernels/convolution.hpp's contract, for float, double, float16 and bfloat16.
///
/// The convolution is W (channels x cells) times what the cells see at the places, and its transpose is the same
/// kernel: the pixels of one residue modulo the stride are a grid on which a convolution of step 1 with every stride-th
/// cell, read backwards, gives the sum. The gradient of W is the product of gy and what the cells see. Products with
/// few rows, as depthwise convolutions make them, are computed by a thread for each element instead.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>

#include "dnn/core/expect.hpp"
#include "dnn/cuda/warp.hpp"
#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/kernels/gpu/index.hpp"
#include "dnn/kernels/gpu/product.hpp"
#include "dnn/kernels/window.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// Where a place of a window, or a cell of it, lies: both added up give the pixel.
struct Coordinates {
  int offset, y, x;
};

/// Places (image, py, px) and cells (channel, ky, kx), which meet at row y + py * place_y + ky * cell_y and column
/// x + px * place_x + kx * cell_x of an image of h x w.
struct Windows {
  int h = 0, w = 0, image = 0;  // `image`: elements from one image to the next
  int y = 0, x = 0, place_y = 1, place_x = 1, cell_y = 1, cell_x = 1;
  Divisor places, places_x, cells, cells_x;

  void set_places(std::int64_t rows, std::int64_t columns) {
    places = Divisor(rows * columns), places_x = Divisor(columns);
  }
  void set_cells(std::int64_t rows, std::int64_t columns) {
    cells = Divisor(rows * columns), cells_x = Divisor(columns);
  }

  DNN_DEVICE Coordinates place(Index32 i) const {
    const auto [number, in_image] = places.divide(i);
    const auto [py, px] = places_x.divide(in_image);
    const int row = y + static_cast<int>(py) * place_y, column = x + static_cast<int>(px) * place_x;
    return {static_cast<int>(number) * image + row * w + column, row, column};
  }
  DNN_DEVICE Coordinates cell(Index32 i) const {
    const auto [channel, in_window] = cells.divide(i);
    const auto [ky, kx] = cells_x.divide(in_window);
    const int row = static_cast<int>(ky) * cell_y, column = static_cast<int>(kx) * cell_x;
    return {static_cast<int>(channel) * h * w + row * w + column, row, column};
  }
};

/// What the cells see at the places: pixels, 0 outside of the image. Rows of the operand are the places and its depth
/// the cells, or, with `places_in_depth`, the other way round.
template <class T, bool places_in_depth>
struct SeenOperand {
  using Value = T;
  static constexpr bool dense = false, depth_first = places_in_depth;

  const T* data = nullptr;
  int rows = 0;
  Windows windows;
  BatchAxes::Strides batch_strides = {};

  using Depth = Coordinates;
  /// Outside of every image, whatever is added.
  DNN_DEVICE static Coordinates nowhere() { return {0, -(1 << 30), 0}; }
  DNN_DEVICE Coordinates depth(int p, int end) const {
    const auto i = static_cast<Index32>(p);
    return p >= end ? nowhere() : places_in_depth ? windows.place(i) : windows.cell(i);
  }
  DNN_DEVICE Coordinates row(std::int64_t i) const {
    const auto at = static_cast<Index32>(i);
    return i >= rows ? nowhere() : places_in_depth ? windows.cell(at) : windows.place(at);
  }

  template <int count, int step>
  class Rows {
   public:
    DNN_DEVICE Rows(const SeenOperand& x, const T* data, std::int64_t i) : x_(x), data_(data) {
      DNN_UNROLL
      for (int r = 0; r < count; ++r) at_[r] = x.row(i + r * step);
    }
    DNN_DEVICE Element<T> find(int r, Coordinates p) const {
      const int y = at_[r].y + p.y, x = at_[r].x + p.x;
      const bool inside = static_cast<unsigned>(y) < static_cast<unsigned>(x_.windows.h) &&
                          static_cast<unsigned>(x) < static_cast<unsigned>(x_.windows.w);
      return {data_ + (at_[r].offset + p.offset), inside};
    }

   private:
    const SeenOperand& x_;
    const T* data_;
    Coordinates at_[count];
  };
};

/// W with a row for each channel of the result and the cells (channel, ky, kx) of a window as its depth.
template <class T>
struct WeightOperand {
  using Value = T;
  static constexpr bool dense = false, depth_first = true;

  const T* data = nullptr;
  int rows = 0;
  int row = 0, channel = 0, cell_y = 0, cell_x = 0;
  Divisor cells, cells_x;
  BatchAxes::Strides batch_strides = {};

  struct Depth {
    int offset;
    bool valid;
  };
  DNN_DEVICE Depth depth(int p, int end) const {
    const auto [c, in_window] = cells.divide(static_cast<Index32>(p));
    const auto [ky, kx] = cells_x.divide(in_window);
    return {static_cast<int>(c) * channel + static_cast<int>(ky) * cell_y + static_cast<int>(kx) * cell_x, p < end};
  }

  template <int count, int step>
  class Rows {
   public:
    DNN_DEVICE Rows(const WeightOperand& x, const T* data, std::int64_t i)
        : x_(x), data_(data + i * x.row), left_(x.rows - static_cast<int>(i)) {}
    DNN_DEVICE Element<T> find(int r, Depth p) const {
      return {data_ + (r * step * x_.row + p.offset), p.valid && r * step < left_};
    }

   private:
    const WeightOperand& x_;
    const T* data_;
    int left_;
  };
};

/// Images (N, channels, places) with a row for each channel and the places of all images as depth.
template <class T>
struct ImageOperand {
  using Value = T;
  static constexpr bool dense = false, depth_first = true;

  const T* data = nullptr;
  int rows = 0, image = 0;
  Divisor places;
  BatchAxes::Strides batch_strides = {};

  struct Depth {
    int offset;
    bool valid;
  };
  DNN_DEVICE Depth depth(int p, int end) const {
    const auto [number, place] = places.divide(static_cast<Index32>(p));
    return {static_cast<int>(number) * image + static_cast<int>(place), p < end};
  }

  template <int count, int step>
  class Rows {
   public:
    DNN_DEVICE Rows(const ImageOperand& x, const T* data, std::int64_t i)
        : x_(x), data_(data + i * x.places.value), left_(x.rows - static_cast<int>(i)) {}
    DNN_DEVICE Element<T> find(int r, Depth p) const {
      return {data_ + (r * step * static_cast<int>(x_.places.value) + p.offset), p.valid && r * step < left_};
    }

   private:
    const ImageOperand& x_;
    const T* data_;
    int left_;
  };
};

/// Columns (image, py, px) of a result that is a grid of pixels in images.
struct ImageColumns {
  Divisor places, places_x;
  int image = 0, y = 1, x = 1;

  DNN_DEVICE std::int64_t operator()(std::int64_t j) const {
    const auto [number, in_image] = places.divide(static_cast<Index32>(j));
    const auto [py, px] = places_x.divide(in_image);
    return static_cast<int>(number) * image + static_cast<int>(py) * y + static_cast<int>(px) * x;
  }
};

/// The product of W and what it sees, a thread for each element.
template <class T>
DNN_KERNEL void convolve_directly(const WeightOperand<T> weights, const SeenOperand<T, false> seen,
                                  const Output<T, ImageColumns> out, const Divisor rows, const Divisor columns,
                                  const int channels, const int cells_y, const Index32 n, const BatchAxes batch) {
  using Sum = typename Output<T>::Sum;
  for (Index32 at = blockIdx.x * blockDim.x + threadIdx.x; at < n; at += gridDim.x * blockDim.x) {
    const auto [row_of_all, j] = columns.divide(at);
    const auto [group, i] = rows.divide(row_of_all);
    const Windows& windows = seen.windows;
    const Coordinates place = windows.place(j);
    const T* W = weights.data + batch.offset(group, weights.batch_strides) + static_cast<int>(i) * weights.row;
    const T* x = seen.data + batch.offset(group, seen.batch_strides);
    Sum sum = 0;
    for (int c = 0; c < channels; ++c) {
      for (int ky = 0; ky < cells_y; ++ky) {
        const int y = ky * windows.cell_y;
        if (static_cast<unsigned>(place.y + y) >= static_cast<unsigned>(windows.h)) continue;
        for (int kx = 0; kx < static_cast<int>(windows.cells_x.value); ++kx) {
          const int column = kx * windows.cell_x;
          if (static_cast<unsigned>(place.x + column) >= static_cast<unsigned>(windows.w)) continue;
          sum += cast_scalar<Sum>(W[c * weights.channel + ky * weights.cell_y + kx * weights.cell_x]) *
                 cast_scalar<Sum>(x[place.offset + c * windows.h * windows.w + y * windows.w + column]);
        }
      }
    }
    out.template store<1>(batch.offset(group, out.batch_strides), group, i, j, columns.value, &sum);
  }
}

/// The gradient of W, a block of threads for each element.
template <class T>
DNN_KERNEL void convolve_weights_directly(const ImageOperand<T> gy, const SeenOperand<T, true> seen,
                                          const Output<T> out, const Divisor rows, const Divisor columns,
                                          const int depth, const BatchAxes batch) {
  using Sum = typename Output<T>::Sum;
  const auto [row_of_all, j] = columns.divide(blockIdx.x);
  const auto [group, i] = rows.divide(row_of_all);
  const typename ImageOperand<T>::template Rows<1, 1> row(gy, gy.data + batch.offset(group, gy.batch_strides), i);
  const typename SeenOperand<T, true>::template Rows<1, 1> cell(seen,
                                                                seen.data + batch.offset(group, seen.batch_strides), j);
  Sum sum = 0;
  for (int p = static_cast<int>(threadIdx.x); p < depth; p += static_cast<int>(blockDim.x)) {
    const auto pixel = cell.find(0, seen.depth(p, depth));
    if (pixel.valid) sum += cast_scalar<Sum>(*pixel.at) * cast_scalar<Sum>(*row.find(0, gy.depth(p, depth)).at);
  }
  sum = cu::block_reduce(
      sum, [](Sum a, Sum b) { return a + b; }, Sum(0));
  if (threadIdx.x == 0) out.template store<1>(batch.offset(group, out.batch_strides), group, i, j, columns.value, &sum);
}

namespace detail {

/// Offsets and coordinates are 32 bits wide: checks one image, and returns how many of them one launch takes.
inline std::int64_t images_at_once(std::string_view op, const Convolution2D& c) {
  const Window2D& w = c.window;
  const auto image_elements = std::max({c.in_channels * w.pixels(), c.out_channels * w.places(), std::int64_t{1}});
  DNN_EXPECT(op, image_elements <= max_elements);
  DNN_EXPECT(op, c.weights() <= max_elements);
  const auto reach_y = w.h + 2 * w.p_y + w.s_y, reach_x = w.w + 2 * w.p_x + w.s_x;
  DNN_EXPECT(op, reach_y < max_elements);
  DNN_EXPECT(op, reach_x < max_elements);
  return max_elements / image_elements;
}

/// part(first image, images) for as many images as one launch takes.
template <class Part>
void for_each_part(std::string_view op, const Convolution2D& c, Part part) {
  const auto most = images_at_once(op, c);
  for (std::int64_t first = 0; first < c.batch; first += most) {
    Convolution2D some = c;
    some.batch = std::min(most, c.batch - first);
    part(first, some);
  }
}

inline BatchAxes groups_as_batch(const Convolution2D& c) {
  BatchAxes batch;
  batch.count = 1, batch.sizes[0] = c.groups;
  return batch;
}

/// out = W times what its cells see, directly where the product would be thin.
template <class T>
void convolve(std::string_view op, const WeightOperand<T>& W, const SeenOperand<T, false>& seen,
              const Output<T, ImageColumns>& out, std::int64_t channels, std::int64_t cells_y, const BatchAxes& batch) {
  constexpr std::int64_t thin = 8;
  const std::int64_t m = W.rows, n = seen.rows, elements = batch.size() * m * n;
  if (m > thin) {
    multiply(op, W, seen, out, m, n, channels * cells_y * W.cells_x.value, batch);
  } else if (elements > 0) {
    constexpr int threads = 256;
    cu::launch(op, convolve_directly<T>, {blocks_for(elements, threads), threads}, W, seen, out, Divisor(m), Divisor(n),
               static_cast<int>(channels), static_cast<int>(cells_y), static_cast<Index32>(elements), batch);
  }
}

/// What the cells of c's window see of x at its places.
template <class T, bool places_in_depth>
SeenOperand<T, places_in_depth> seen_by(const Convolution2D& c, const T* x) {
  const Window2D& w = c.window;
  SeenOperand<T, places_in_depth> seen;
  seen.data = x, seen.rows = static_cast<int>(places_in_depth ? c.depth() : c.batch * w.places());
  auto& at = seen.windows;
  at.h = static_cast<int>(w.h), at.w = static_cast<int>(w.w), at.image = static_cast<int>(c.in_channels * w.pixels());
  at.y = static_cast<int>(-w.p_y), at.x = static_cast<int>(-w.p_x);
  at.place_y = static_cast<int>(w.s_y), at.place_x = static_cast<int>(w.s_x);
  at.cell_y = static_cast<int>(w.d_y), at.cell_x = static_cast<int>(w.d_x);
  at.set_places(w.out_h, w.out_w);
  at.set_cells(w.k_h, w.k_w);
  seen.batch_strides[0] = c.group_in() * w.pixels();
  return seen;
}

/// Images of `channels` planes of h x w, of which the pixels (y + i s_y, x + j s_x) are written.
template <class T>
Output<T, ImageColumns> image_output(T* data, std::int64_t channels, std::int64_t h, std::int64_t w,
                                     std::int64_t groups, const T* bias, std::int64_t y = 0, std::int64_t x = 0,
                                     std::int64_t s_y = 1, std::int64_t s_x = 1) {
  Output<T, ImageColumns> out;
  out.data = data + y * w + x, out.row = h * w, out.row_bias = bias;
  const auto rows = (h - y + s_y - 1) / s_y, columns = (w - x + s_x - 1) / s_x;
  out.columns.places = Divisor(rows * columns), out.columns.places_x = Divisor(columns);
  out.columns.image = static_cast<int>(channels * h * w);
  out.columns.y = static_cast<int>(s_y * w), out.columns.x = static_cast<int>(s_x);
  out.batch_strides[0] = channels / groups * h * w;
  if (s_y == 1 && s_x == 1) out.use_vectors();
  out.row_bias_batch_stride = channels / groups;
  return out;
}

/// The cells of one axis that meet pixels of residue r modulo the stride: first, first + step, ... of them, and the
/// places at which they do: place + i - a back for the a-th cell and the i-th pixel.
struct MeetingCells {
  std::int64_t first, step, count, place, back;

  static MeetingCells of(std::int64_t residue, std::int64_t k, std::int64_t stride, std::int64_t pad,
                         std::int64_t dilate) {
    const auto common = std::gcd(stride, dilate), step = stride / common;
    for (std::int64_t cell = 0; cell < std::min(step, k); ++cell) {
      const auto at = residue + pad - cell * dilate;
      if (at % stride == 0) return {cell, step, (k - cell + step - 1) / step, at / stride, dilate / common};
    }
    return {0, step, 0, 0, 0};
  }
};

/// Pixels of (N, channels, pixels) that no cell meets: the bias of their channel, or 0.
template <class T>
struct FillBias {
  T* data;
  const T* bias;
  Divisor pixels, channels;

  DNN_HD void operator()(std::int64_t i) const {
    const auto channel = channels.divide(pixels.divide(static_cast<Index32>(i)).quotient).remainder;
    data[i] = bias ? bias[channel] : cast_scalar<T>(0.0f);
  }
};

}  // namespace detail

template <class T>
void convolution_2d(const Convolution2D& all, const T* x, const T* W, const T* bias, T* y) {
  if (all.out_channels * all.window.places() == 0) return;
  detail::for_each_part("convolution_2d", all, [&](std::int64_t first, const Convolution2D& c) {
    const Window2D& w = c.window;
    WeightOperand<T> weights;
    weights.data = W, weights.rows = static_cast<int>(c.group_out()), weights.row = static_cast<int>(c.depth());
    weights.channel = static_cast<int>(w.cells()), weights.cell_y = static_cast<int>(w.k_w), weights.cell_x = 1;
    weights.cells = Divisor(w.cells()), weights.cells_x = Divisor(w.k_w);
    weights.batch_strides[0] = c.group_out() * c.depth();
    detail::convolve(
        "convolution_2d", weights, detail::seen_by<T, false>(c, x + first * c.in_channels * w.pixels()),
        detail::image_output(y + first * c.out_channels * w.places(), c.out_channels, w.out_h, w.out_w, c.groups, bias),
        c.group_in(), w.k_h, detail::groups_as_batch(c));
  });
}

template <class T>
void deconvolution_2d(const Convolution2D& all, const T* y, const T* W, const T* bias, T* x) {
  constexpr std::string_view op = "deconvolution_2d";
  if (all.in_channels * all.window.pixels() == 0) return;
  detail::for_each_part(op, all, [&](std::int64_t first, const Convolution2D& c) {
    const Window2D& w = c.window;
    const auto elements = c.batch * c.in_channels * w.pixels();
    T* images = x + first * c.in_channels * w.pixels();
    const auto residues_y = std::min(w.s_y, w.h), residues_x = std::min(w.s_x, w.w);
    bool filled = false;
    for (std::int64_t residue_y = 0; residue_y < residues_y; ++residue_y) {
      const auto rows = detail::MeetingCells::of(residue_y, w.k_h, w.s_y, w.p_y, w.d_y);
      for (std::int64_t residue_x = 0; residue_x < residues_x; ++residue_x) {
        const auto columns = detail::MeetingCells::of(residue_x, w.k_w, w.s_x, w.p_x, w.d_x);
        if (rows.count == 0 || columns.count == 0 || c.out_channels * w.places() == 0) {
          if (!std::exchange(filled, true)) {
            for_each_index(op, elements,
                           detail::FillBias<T>{images, bias, Divisor(w.pixels()), Divisor(c.in_channels)});
          }
        }
      }
    }
    for (std::int64_t residue_y = 0; residue_y < residues_y; ++residue_y) {
      const auto rows = detail::MeetingCells::of(residue_y, w.k_h, w.s_y, w.p_y, w.d_y);
      for (std::int64_t residue_x = 0; rows.count > 0 && residue_x < residues_x; ++residue_x) {
        const auto columns = detail::MeetingCells::of(residue_x, w.k_w, w.s_x, w.p_x, w.d_x);
        if (columns.count == 0 || c.out_channels * w.places() == 0) continue;
        WeightOperand<T> weights;
        weights.data = W + rows.first * w.k_w + columns.first, weights.rows = static_cast<int>(c.group_in());
        weights.row = static_cast<int>(w.cells()), weights.channel = static_cast<int>(c.depth());
        weights.cell_y = static_cast<int>(rows.step * w.k_w), weights.cell_x = static_cast<int>(columns.step);
        weights.cells = Divisor(rows.count * columns.count), weights.cells_x = Divisor(columns.count);
        weights.batch_strides[0] = c.group_out() * c.depth();
        SeenOperand<T, false> seen;
        seen.data = y + first * c.out_channels * w.places();
        auto& at = seen.windows;
        at.h = static_cast<int>(w.out_h), at.w = static_cast<int>(w.out_w);
        at.image = static_cast<int>(c.out_channels * w.places());
        at.y = static_cast<int>(rows.place), at.x = static_cast<int>(columns.place);
        at.cell_y = static_cast<int>(-rows.back), at.cell_x = static_cast<int>(-columns.back);
        const auto grid_h = (w.h - residue_y + w.s_y - 1) / w.s_y, grid_w = (w.w - residue_x + w.s_x - 1) / w.s_x;
        seen.rows = static_cast<int>(c.batch * grid_h * grid_w);
        at.set_places(grid_h, grid_w);
        at.set_cells(rows.count, columns.count);
        seen.batch_strides[0] = c.group_out() * w.places();
        detail::convolve(
            op, weights, seen,
            detail::image_output(images, c.in_channels, w.h, w.w, c.groups, bias, residue_y, residue_x, w.s_y, w.s_x),
            c.group_out(), rows.count, detail::groups_as_batch(c));
      }
    }
  });
}

template <class T>
void convolution_2d_weights(const Convolution2D& all, const T* x, const T* gy, T* gW) {
  constexpr std::string_view op = "convolution_2d_weights";
  constexpr std::int64_t thin = 4, few = 64;
  if (all.weights() == 0) return;
  if (all.batch * all.window.places() == 0) {
    return for_each_index(op, all.weights(), detail::FillBias<T>{gW, nullptr, Divisor(1), Divisor(1)});
  }
  detail::for_each_part(op, all, [&](std::int64_t first, const Convolution2D& c) {
    const Window2D& w = c.window;
    ImageOperand<T> left;
    left.data = gy + first * c.out_channels * w.places(), left.rows = static_cast<int>(c.group_out());
    left.image = static_cast<int>(c.out_channels * w.places()), left.places = Divisor(w.places());
    left.batch_strides[0] = c.group_out() * w.places();
    const auto seen = detail::seen_by<T, true>(c, x + first * c.in_channels * w.pixels());
    Output<T> out;
    out.data = gW, out.row = c.depth(), out.accumulate = first > 0;
    out.batch_strides[0] = c.group_out() * c.depth();
    out.use_vectors();
    const auto m = c.group_out(), n = c.depth(), depth = c.batch * w.places();
    const auto batch = detail::groups_as_batch(c);
    if (m > thin || n > few) return multiply(op, left, seen, out, m, n, depth, batch);
    constexpr int threads = 256;
    cu::launch(op, convolve_weights_directly<T>, {static_cast<unsigned>(c.weights()), threads}, left, seen, out,
               Divisor(m), Divisor(n), static_cast<int>(depth), batch);
  });
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
