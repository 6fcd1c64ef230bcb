/// 2-D convolution y = W columns(x), and its two transposes. Most are those of direct_convolution.hpp; of small images,
/// and where the transpose of a window that moves by several pixels is asked for, the columns are made (im2col).
///
/// For these the batch is worked on in blocks of images that stand side by side in one matrix, wide enough for the
/// product to run at full speed; blocks run in parallel. How images are grouped depends on the sizes alone, so results
/// do not depend on the number of threads. Layouts: x (N, C, H, W), W (O, C / groups, kh, kw), y (N, O, out_h, out_w).
#pragma once

#include <algorithm>
#include <cstdint>

#include "dnn/kernels/direct_convolution.hpp"
#include "dnn/kernels/gemm.hpp"
#include "dnn/kernels/im2col.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/convolution.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// Whether an image alone has enough places to fill registers, so that no columns are needed.
inline bool is_direct(const Convolution2D& c, const Window2D& window) noexcept {
  return !window.is_identity() && window.places() >= 12 && c.batch > 0 && c.weights() > 0;
}

/// The images [first, first + count) of one block.
struct ImageBlock {
  std::int64_t first, count;
};
inline ImageBlock image_block(const Convolution2D& c, std::int64_t i) noexcept {
  return {i * c.block(), std::min(c.block(), c.batch - i * c.block())};
}

/// The columns of a group of the block's images; x itself where there is nothing to rearrange.
template <class T>
const T* columns_of(const Convolution2D& c, const T* x, ImageBlock images, std::int64_t group, T* scratch) {
  const auto image_size = c.in_channels * c.window.pixels();
  const T* image = x + images.first * image_size + group * c.group_in() * c.window.pixels();
  if (c.window.is_identity()) return image;
  for (std::int64_t i = 0; i < images.count; ++i) {
    im2col(c.window, c.group_in(), image + i * image_size, scratch + i * c.window.places(),
           images.count * c.window.places());
  }
  return scratch;
}

/// A group's rows of y, (group_out, count * places); y itself for a single image.
template <class T>
const T* rows_of(const Convolution2D& c, const T* y, ImageBlock images, std::int64_t group, T* scratch) {
  const auto places = c.window.places(), image_size = c.out_channels * places;
  const T* image = y + images.first * image_size + group * c.group_out() * places;
  if (images.count == 1) return image;
  for (std::int64_t o = 0; o < c.group_out(); ++o) {
    for (std::int64_t i = 0; i < images.count; ++i) {
      const T* in = image + i * image_size + o * places;
      std::copy(in, in + places, scratch + (o * images.count + i) * places);
    }
  }
  return scratch;
}

template <class T>
void convolution_2d_on_host(const Convolution2D& c, const T* x, const T* W, const T* bias, T* y) {
  if (is_direct(c, c.window)) {
    return correlate(c.window, c.batch, c.groups, c.group_in(), c.group_out(), x, W, bias, y);
  }
  const auto places = c.window.places(), width = c.block() * places;
  parallel_for(c.blocks(), c.grain(), [&](std::int64_t begin, std::int64_t end) {
    const Scratch<T> columns(c.window.is_identity() ? 0 : c.depth() * width);
    const Scratch<T> product(c.block() == 1 ? 0 : c.group_out() * width);
    for (auto b = begin; b < end; ++b) {
      const auto images = image_block(c, b);
      const auto n = images.count * places;
      for (std::int64_t g = 0; g < c.groups; ++g) {
        const T* in = columns_of(c, x, images, g, columns.data());
        T* image = y + (images.first * c.out_channels + g * c.group_out()) * places;
        T* out = images.count == 1 ? image : product.data();
        for (std::int64_t o = 0; o < c.group_out(); ++o) {
          std::fill_n(out + o * n, n, bias ? bias[g * c.group_out() + o] : T(0));
        }
        gemm(false, false, c.group_out(), n, c.depth(), W + g * c.group_out() * c.depth(), c.depth(), in, n, out, n,
             true);
        if (images.count == 1) continue;
        for (std::int64_t o = 0; o < c.group_out(); ++o) {
          for (std::int64_t i = 0; i < images.count; ++i) {
            const T* row = out + (o * images.count + i) * places;
            std::copy(row, row + places, image + (i * c.out_channels + o) * places);
          }
        }
      }
    }
  });
}

template <class T>
void deconvolution_2d_on_host(const Convolution2D& c, const T* y, const T* W, const T* bias, T* x) {
  const bool by_pixels = c.window.s_y == 1 && c.window.s_x == 1;
  if (by_pixels && is_direct(c, transposed(c.window))) {
    const Scratch<T> transposed(c.weights());
    transpose_weights(c.groups, c.group_in(), c.group_out(), c.window.cells(), W, transposed.data());
    return correlate(detail::transposed(c.window), c.batch, c.groups, c.group_out(), c.group_in(), y,
                     static_cast<const T*>(transposed.data()), bias, x);
  }
  const auto places = c.window.places(), width = c.block() * places, pixels = c.window.pixels();
  const bool direct = c.window.is_identity();
  parallel_for(c.blocks(), c.grain(), [&](std::int64_t begin, std::int64_t end) {
    const Scratch<T> columns(direct ? 0 : c.depth() * width);
    const Scratch<T> rows(c.block() == 1 ? 0 : c.group_out() * width);
    for (auto b = begin; b < end; ++b) {
      const auto images = image_block(c, b);
      const auto n = images.count * places;
      T* image = x + images.first * c.in_channels * pixels;
      for (std::int64_t i = 0; i < images.count * c.in_channels; ++i) {
        std::fill_n(image + i * pixels, pixels, bias ? bias[i % c.in_channels] : T(0));
      }
      for (std::int64_t g = 0; g < c.groups; ++g) {
        const T* in = rows_of(c, y, images, g, rows.data());
        T* group_image = image + g * c.group_in() * pixels;
        gemm(true, false, c.depth(), n, c.group_out(), W + g * c.group_out() * c.depth(), c.depth(), in, n,
             direct ? group_image : columns.data(), n, direct);
        for (std::int64_t i = 0; !direct && i < images.count; ++i) {
          col2im(c.window, c.group_in(), columns.data() + i * places, n, group_image + i * c.in_channels * pixels);
        }
      }
    }
  });
}

template <class T>
void convolution_2d_weights_on_host(const Convolution2D& c, const T* x, const T* gy, T* gW) {
  if (is_direct(c, c.window)) {
    return correlate_weights(c.window, c.batch, c.groups, c.group_in(), c.group_out(), x, gy, gW);
  }
  const auto places = c.window.places(), width = c.block() * places, blocks = c.blocks();
  std::fill_n(gW, c.weights(), T(0));
  // The batch is cut in parts, each with a sum of its own; the parts are added in order.
  const std::int64_t parts = c.weights() > (1 << 18) ? 1 : std::clamp<std::int64_t>(blocks / c.grain(), 1, 8);
  const Scratch<T> sums((parts - 1) * c.weights());
  parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    const Scratch<T> columns(c.window.is_identity() ? 0 : c.depth() * width);
    const Scratch<T> rows(c.block() == 1 ? 0 : c.group_out() * width);
    for (auto part = begin; part < end; ++part) {
      T* sum = part == 0 ? gW : sums.data() + (part - 1) * c.weights();
      if (part != 0) std::fill_n(sum, c.weights(), T(0));
      for (auto b = blocks * part / parts; b < blocks * (part + 1) / parts; ++b) {
        const auto images = image_block(c, b);
        const auto n = images.count * places;
        for (std::int64_t g = 0; g < c.groups; ++g) {
          const T* left = rows_of(c, gy, images, g, rows.data());
          const T* right = columns_of(c, x, images, g, columns.data());
          gemm(false, true, c.group_out(), c.depth(), n, left, n, right, n, sum + g * c.group_out() * c.depth(),
               c.depth(), true);
        }
      }
    }
  });
  for (std::int64_t part = 1; part < parts; ++part) {
    const T* sum = sums.data() + (part - 1) * c.weights();
    for (std::int64_t i = 0; i < c.weights(); ++i) gW[i] += sum[i];
  }
}

}  // namespace detail

/// y = x * W + bias; `bias` (O) may be null.
template <class T>
void convolution_2d(const Convolution2D& c, const T* x, const T* W, const T* bias, T* y) {
#if DNN_CUDA
  if (on_gpu()) return gpu::convolution_2d(c, x, W, bias, y);
#endif
  if constexpr (sizeof(T) > 2) detail::convolution_2d_on_host(c, x, W, bias, y);
}

/// x = the transpose of the above applied to y, plus `bias` (C), which may be null.
template <class T>
void deconvolution_2d(const Convolution2D& c, const T* y, const T* W, const T* bias, T* x) {
#if DNN_CUDA
  if (on_gpu()) return gpu::deconvolution_2d(c, y, W, bias, x);
#endif
  if constexpr (sizeof(T) > 2) detail::deconvolution_2d_on_host(c, y, W, bias, x);
}

/// gW = the gradient of <convolution(x, W), gy> with respect to W.
template <class T>
void convolution_2d_weights(const Convolution2D& c, const T* x, const T* gy, T* gW) {
#if DNN_CUDA
  if (on_gpu()) return gpu::convolution_2d_weights(c, x, gy, gW);
#endif
  if constexpr (sizeof(T) > 2) detail::convolution_2d_weights_on_host(c, x, gy, gW);
}

}  // namespace dnn::inline DNN_ABI::kernels
