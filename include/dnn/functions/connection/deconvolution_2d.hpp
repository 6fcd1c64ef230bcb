/// Transposed 2-D convolution: what convolution_2d's gradient with respect to its input does, as a layer of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dnn/functions/connection/convolution_2d.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct Deconvolution2DOptions {
  Pair stride = 1;
  Pair pad = 0;
  std::optional<Pair> outsize = {};  ///< default: stride (H - 1) + dilate (kh - 1) + 1 - 2 pad
  Pair dilate = 1;
  int groups = 1;
};

/// x (N, C, H, W), W (C, O / groups, kh, kw), b (O) or undefined -> (N, O, out_h, out_w). `outsize` must be a size that
/// a convolution with these options (or one with cover_all) turns into H and W. One float dtype. Throws ArgumentError
/// when shapes, dtypes or options do not fit.
template <class = void>
Variable deconvolution_2d(const Variable& x, const Variable& W, const Variable& b = {},
                          const Deconvolution2DOptions& options = {}) {
  const auto geometry = nodes::with_operands(x, W, b, [&] {
    constexpr std::string_view op = "deconvolution_2d";
    DNN_EXPECT(op, x.ndim() == 4);
    DNN_EXPECT(op, W.ndim() == 4);
    const auto [stride, pad, outsize, dilate, groups] = options;
    nodes::check_convolution(op, x.array(), W.array(), b, groups, W.shape()[1] * groups);
    DNN_EXPECT(op, x.shape()[1] == W.shape()[0]);
    kernels::Convolution2D g;
    g.batch = x.shape()[0], g.in_channels = W.shape()[1] * groups, g.out_channels = W.shape()[0], g.groups = groups;
    auto& w = g.window;
    w.out_h = x.shape()[2], w.out_w = x.shape()[3], w.k_h = W.shape()[2], w.k_w = W.shape()[3];
    w.s_y = stride.y, w.s_x = stride.x, w.p_y = pad.y, w.p_x = pad.x, w.d_y = dilate.y, w.d_x = dilate.x;
    DNN_EXPECT(op, w.out_h > 0);
    DNN_EXPECT(op, w.out_w > 0);
    w.h = outsize ? outsize->y : window_extent(op, w.out_h, w.k_h, stride.y, pad.y, false, dilate.y);
    w.w = outsize ? outsize->x : window_extent(op, w.out_w, w.k_w, stride.x, pad.x, false, dilate.x);
    DNN_EXPECT(op, w.h > 0);
    DNN_EXPECT(op, w.w > 0);
    DNN_EXPECT(op, w.out_h >= window_places(op, w.h, w.k_h, stride.y, pad.y, false, dilate.y));
    DNN_EXPECT(op, w.out_h <= window_places(op, w.h, w.k_h, stride.y, pad.y, true, dilate.y));
    DNN_EXPECT(op, w.out_w >= window_places(op, w.w, w.k_w, stride.x, pad.x, false, dilate.x));
    DNN_EXPECT(op, w.out_w <= window_places(op, w.w, w.k_w, stride.x, pad.x, true, dilate.x));
    return g;
  });
  auto function = make_ref<nodes::Deconvolution2DFunction<>>(geometry);
  return b.defined() ? call(function, x, W, b) : call(function, x, W);
}

}  // namespace dnn::inline DNN_ABI::inline functions
