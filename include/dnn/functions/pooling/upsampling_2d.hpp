/// Every value put back where max_pooling_2d found it, zeros elsewhere.
#pragma once

#include <cstdint>

#include "dnn/functions/pooling/pooling_2d.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x (N, C, H, W), `indices` as max_pooling_2d_with_indices returns them (any integer dtype, the shape of x) ->
/// (N, C, out_h, out_w), sizes as unpooling_2d's. Values that meet are added. Float dtypes. Throws ArgumentError when
/// options do not fit, an index is not inside the window, or nothing would be left.
inline Variable upsampling_2d(const Variable& x, const Array& indices, Pair ksize,
                              const Unpooling2DOptions& options = {}) {
  const auto window = nodes::unpooling_window("upsampling_2d", x.shape(), ksize, options);
  DNN_EXPECT("upsampling_2d", indices.shape() == x.shape());
  if (is_float(indices.dtype())) throw DTypeError("[upsampling_2d] indices are integers, not ", indices);
  const Array cells = indices.to(int64);
  const Array host = cells.to(Device{});
  for (const auto index : host.span<std::int64_t>()) {
    DNN_EXPECT("upsampling_2d", index >= 0);
    DNN_EXPECT("upsampling_2d", index < window.cells());
  }
  return call(make_ref<nodes::Upsampling2D>(window, cells.to(int32)), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
