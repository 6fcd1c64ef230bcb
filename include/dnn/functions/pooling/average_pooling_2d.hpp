/// The mean under every window.
#pragma once

#include "dnn/functions/pooling/pooling_2d.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x (N, C, H, W) -> (N, C, out_h, out_w), out_h = (H + 2 pad - ksize) / stride + 1, rounded down. Padding counts as
/// zeros. Float dtypes. Throws ArgumentError when options do not fit or nothing would be left.
inline Variable average_pooling_2d(const Variable& x, Pair ksize, const AveragePooling2DOptions& options = {}) {
  const auto window = nodes::pooling_window("average_pooling_2d", x.shape(), ksize, options.stride, options.pad, false);
  return call(make_ref<nodes::AveragePooling2D>(window, 1.0 / static_cast<double>(window.cells())), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
