/// Windows that slide over images, and the convolutions that they make.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// A k_h x k_w window that stands at out_h x out_w places of an h x w image. Cell (ky, kx) of the window at place
/// (oy, ox) lies on pixel (oy * s_y - p_y + ky * d_y, ox * s_x - p_x + kx * d_x), which may be outside of the image.
struct Window2D {
  std::int64_t h = 0, w = 0, out_h = 0, out_w = 0;
  std::int64_t k_h = 1, k_w = 1, s_y = 1, s_x = 1, p_y = 0, p_x = 0, d_y = 1, d_x = 1;

  std::int64_t pixels() const noexcept { return h * w; }
  std::int64_t places() const noexcept { return out_h * out_w; }
  std::int64_t cells() const noexcept { return k_h * k_w; }
  /// Every place sees exactly its own pixel.
  bool is_identity() const noexcept {
    return k_h == 1 && k_w == 1 && s_y == 1 && s_x == 1 && p_y == 0 && p_x == 0 && out_h == h && out_w == w;
  }
};

/// Convolution of `batch` images: x (N, C, H, W), W (O, C / groups, kh, kw), y (N, O, out_h, out_w).
struct Convolution2D {
  Window2D window;
  std::int64_t batch = 0, in_channels = 0, out_channels = 0, groups = 1;

  std::int64_t group_in() const noexcept { return in_channels / groups; }
  std::int64_t group_out() const noexcept { return out_channels / groups; }
  /// Rows of the column matrix of one group.
  std::int64_t depth() const noexcept { return group_in() * window.cells(); }
  std::int64_t weights() const noexcept { return out_channels * depth(); }
  /// Images that share a product.
  std::int64_t block() const noexcept {
    constexpr std::int64_t wide = 512;
    if (window.is_identity()) return 1;
    return std::clamp<std::int64_t>(wide / window.places(), 1, std::max<std::int64_t>(batch, 1));
  }
  std::int64_t blocks() const noexcept { return (batch + block() - 1) / block(); }
  /// Blocks that are worth a thread.
  std::int64_t grain() const noexcept {
    return std::max<std::int64_t>(1, (1 << 19) / std::max<std::int64_t>(weights() * window.places() * block(), 1));
  }
};

}  // namespace dnn::inline DNN_ABI::kernels
