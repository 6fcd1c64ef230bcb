/// 2-D convolution (cross-correlation) of images with a bank of filters.
///
///     y[n, o, i, j] = b[o] + sum over c, u, v of W[o, c, u, v] x[n, c, i * stride - pad + u * dilate, j * ... + v *
///     dilate]
///
/// x (N, C, H, W), W (O, C / groups, kh, kw), b (O), y (N, O, out_h, out_w); pixels outside of x are 0. With `groups`
/// the channels fall in that many parts, each convolved with its own filters.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/functions/window.hpp"
#include "dnn/kernels/convolution.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct Convolution2DOptions {
  Pair stride = 1;
  Pair pad = 0;
  bool cover_all = false;  ///< out sizes are rounded up, so that every pixel is seen
  Pair dilate = 1;
  int groups = 1;
};

namespace nodes {

/// x, W and y of a convolution, of which each is linear in the other two: the three functions below are each other's
/// gradients, and share their geometry.
class ConvolutionNode : public FunctionNode {
 public:
  using Geometry = kernels::Convolution2D;

  bool takes_16bit_floats() const override { return kernels::multiplies_16bit_floats(); }

 protected:
  explicit ConvolutionNode(const Geometry& geometry) : geometry_(geometry) {}

  Shape x_shape() const { return {geometry_.batch, geometry_.in_channels, geometry_.window.h, geometry_.window.w}; }
  Shape y_shape() const {
    return {geometry_.batch, geometry_.out_channels, geometry_.window.out_h, geometry_.window.out_w};
  }
  Shape W_shape() const {
    return {geometry_.out_channels, geometry_.group_in(), geometry_.window.k_h, geometry_.window.k_w};
  }

  Geometry geometry_;
};

// The three are templates so that a program without convolutions does not compile their kernels, which are large.

template <class = void>
class Convolution2DFunction final : public ConvolutionNode {
 public:
  explicit Convolution2DFunction(const Geometry& geometry) : ConvolutionNode(geometry) {}
  std::string_view name() const override { return "Convolution2DFunction"; }
  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0, 1});
    Array y(y_shape(), in[0].dtype(), in[0].device());
    kernels::visit_product(y.dtype(), "convolution_2d", [&]<class T>(std::type_identity<T>) {
      kernels::convolution_2d(geometry_, in[0].data<T>(), in[1].data<T>(), in.size() == 3 ? in[2].data<T>() : nullptr,
                              y.data<T>());
    });
    return {y};
  }
  Variables backward(const Variables& gy) override;
};

/// The transposed convolution: (y, W[, b]) -> x.
template <class = void>
class Deconvolution2DFunction final : public ConvolutionNode {
 public:
  explicit Deconvolution2DFunction(const Geometry& geometry) : ConvolutionNode(geometry) {}
  std::string_view name() const override { return "Deconvolution2DFunction"; }
  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0, 1});
    Array x(x_shape(), in[0].dtype(), in[0].device());
    kernels::visit_product(x.dtype(), "deconvolution_2d", [&]<class T>(std::type_identity<T>) {
      kernels::deconvolution_2d(geometry_, in[0].data<T>(), in[1].data<T>(), in.size() == 3 ? in[2].data<T>() : nullptr,
                                x.data<T>());
    });
    return {x};
  }
  Variables backward(const Variables& gx) override;
};

/// (x, gy) -> gW.
template <class = void>
class Convolution2DGradW final : public ConvolutionNode {
 public:
  explicit Convolution2DGradW(const Geometry& geometry) : ConvolutionNode(geometry) {}
  std::string_view name() const override { return "Convolution2DGradW"; }
  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0, 1});
    Array gW(W_shape(), in[0].dtype(), in[0].device());
    kernels::visit_product(gW.dtype(), "convolution_2d", [&]<class T>(std::type_identity<T>) {
      kernels::convolution_2d_weights(geometry_, in[0].data<T>(), in[1].data<T>(), gW.data<T>());
    });
    return {gW};
  }
  Variables backward(const Variables& ggW) override {
    Variables grads(2);
    if (wanted(0)) grads[0] = call(make_ref<Deconvolution2DFunction<>>(geometry_), retained_input(1), ggW[0]);
    if (wanted(1)) grads[1] = call(make_ref<Convolution2DFunction<>>(geometry_), retained_input(0), ggW[0]);
    return grads;
  }
};

/// The sum of (N, C, H, W) over everything but the channels: the gradient of a bias.
inline Variable sum_channels(const Variable& x) {
  const auto channels = x.shape()[1];
  return reshape(sum_to(x, {1, channels, 1, 1}), {channels});
}

template <class T>
Variables Convolution2DFunction<T>::backward(const Variables& gy) {
  Variables grads(inputs().size());
  if (wanted(0)) grads[0] = call(make_ref<Deconvolution2DFunction<>>(geometry_), gy[0], retained_input(1));
  if (wanted(1)) grads[1] = call(make_ref<Convolution2DGradW<>>(geometry_), retained_input(0), gy[0]);
  if (inputs().size() == 3 && wanted(2)) grads[2] = sum_channels(gy[0]);
  return grads;
}

template <class T>
Variables Deconvolution2DFunction<T>::backward(const Variables& gx) {
  Variables grads(inputs().size());
  if (wanted(0)) grads[0] = call(make_ref<Convolution2DFunction<>>(geometry_), gx[0], retained_input(1));
  if (wanted(1)) grads[1] = call(make_ref<Convolution2DGradW<>>(geometry_), gx[0], retained_input(0));
  if (inputs().size() == 3 && wanted(2)) grads[2] = sum_channels(gx[0]);
  return grads;
}

/// What convolution and deconvolution ask of their operands alike; `channels` is the axis of W that meets those of x.
inline void check_convolution(std::string_view op, const Array& x, const Array& W, const Variable& b, int groups,
                              std::int64_t bias_size) {
  DNN_EXPECT(op, is_float(x.dtype()));
  DNN_EXPECT(op, x.dtype() == W.dtype());
  DNN_EXPECT(op, groups >= 1);
  DNN_EXPECT(op, W.shape()[0] % groups == 0);
  if (!b.defined()) return;
  DNN_EXPECT(op, b.dtype() == x.dtype());
  DNN_EXPECT(op, b.ndim() == 1);
  DNN_EXPECT(op, b.shape()[0] == bias_size);
}

/// Runs `body`; its ArgumentErrors name the operands.
template <class Body>
auto with_operands(const Variable& x, const Variable& W, const Variable& b, Body body) {
  try {
    return body();
  } catch (const ArgumentError& error) {
    const std::array operands{&x, &W, &b};
    throw ArgumentError(error.what() + dnn::detail::describe_inputs({operands.data(), b.defined() ? 3u : 2u}));
  }
}

}  // namespace nodes

/// The convolution of x with W; b may be left undefined. The output has (H + 2 pad - dilate (kh - 1) - 1) / stride + 1
/// rows, rounded down (`cover_all`: up), and columns likewise. One float dtype. Throws ArgumentError when shapes,
/// dtypes or options do not fit, or nothing would be left.
template <class = void>
Variable convolution_2d(const Variable& x, const Variable& W, const Variable& b = {},
                        const Convolution2DOptions& options = {}) {
  const auto geometry = nodes::with_operands(x, W, b, [&] {
    constexpr std::string_view op = "convolution_2d";
    DNN_EXPECT(op, x.ndim() == 4);
    DNN_EXPECT(op, W.ndim() == 4);
    nodes::check_convolution(op, x.array(), W.array(), b, options.groups, W.shape()[0]);
    const auto channels = W.shape()[1] * options.groups;
    DNN_EXPECT(op, x.shape()[1] == channels);
    kernels::Convolution2D g;
    g.batch = x.shape()[0], g.in_channels = channels, g.out_channels = W.shape()[0], g.groups = options.groups;
    const auto [stride, pad, cover_all, dilate, groups] = options;
    auto& w = g.window;
    w.h = x.shape()[2], w.w = x.shape()[3], w.k_h = W.shape()[2], w.k_w = W.shape()[3];
    w.s_y = stride.y, w.s_x = stride.x, w.p_y = pad.y, w.p_x = pad.x, w.d_y = dilate.y, w.d_x = dilate.x;
    w.out_h = window_places(op, w.h, w.k_h, stride.y, pad.y, cover_all, dilate.y);
    w.out_w = window_places(op, w.w, w.k_w, stride.x, pad.x, cover_all, dilate.x);
    DNN_EXPECT(op, w.out_h > 0);
    DNN_EXPECT(op, w.out_w > 0);
    return g;
  });
  auto function = make_ref<nodes::Convolution2DFunction<>>(geometry);
  return b.defined() ? call(function, x, W, b) : call(function, x, W);
}

}  // namespace dnn::inline DNN_ABI::inline functions
