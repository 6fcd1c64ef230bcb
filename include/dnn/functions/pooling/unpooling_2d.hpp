/// Every value copied to all the pixels of its window: the inverse of a pooling.
#pragma once

#include "dnn/functions/pooling/pooling_2d.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x (N, C, H, W) -> (N, C, out_h, out_w), out_h = stride (H - 1) + ksize - 2 pad, and stride - 1 less by default
/// (cover_all: 2 x 2 unpooling makes 5 of 3). Where windows overlap their values are added. Float dtypes.
/// Throws ArgumentError when options do not fit or nothing would be left.
inline Variable unpooling_2d(const Variable& x, Pair ksize, const Unpooling2DOptions& options = {}) {
  return call(make_ref<nodes::Unpooling2D>(nodes::unpooling_window("unpooling_2d", x.shape(), ksize, options), 1.0), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
