/// What the 2-D pooling functions share: their options, and the two pairs of linear maps that they and their gradients
/// are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/window.hpp"
#include "dnn/kernels/pooling.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct MaxPooling2DOptions {
  Pair stride = 0;  ///< 0: ksize
  Pair pad = 0;
  bool cover_all = true;  ///< out sizes are rounded up, so that every pixel is seen: not what other frameworks do
};
struct AveragePooling2DOptions {
  Pair stride = 0;  ///< 0: ksize
  Pair pad = 0;
};
struct Unpooling2DOptions {
  Pair stride = 0;  ///< 0: ksize
  Pair pad = 0;
  std::optional<Pair> outsize = {};  ///< default: stride (H - 1) + ksize - 2 pad, less stride - 1 with cover_all
  bool cover_all = true;
};

namespace nodes {

/// The window of a pooling of x (N, C, H, W), which is the image. Throws ArgumentError when nothing would be left.
inline kernels::Window2D pooling_window(std::string_view op, const Shape& x, Pair ksize, Pair stride, Pair pad,
                                        bool cover_all) {
  DNN_EXPECT(op, x.ndim() == 4);
  if (stride == Pair(0)) stride = ksize;
  kernels::Window2D w;
  w.h = x[2], w.w = x[3], w.k_h = ksize.y, w.k_w = ksize.x, w.s_y = stride.y, w.s_x = stride.x, w.p_y = pad.y,
  w.p_x = pad.x;
  w.out_h = window_places(op, w.h, ksize.y, stride.y, pad.y, cover_all);
  w.out_w = window_places(op, w.w, ksize.x, stride.x, pad.x, cover_all);
  DNN_EXPECT(op, w.out_h > 0);
  DNN_EXPECT(op, w.out_w > 0);
  DNN_EXPECT(op, w.cells() < (std::int64_t{1} << 31));
  return w;
}

/// The window of an unpooling of x (N, C, H, W), which has a value for each place.
inline kernels::Window2D unpooling_window(std::string_view op, const Shape& x, Pair ksize,
                                          const Unpooling2DOptions& options) {
  DNN_EXPECT(op, x.ndim() == 4);
  const auto [given_stride, pad, outsize, cover_all] = options;
  const Pair stride = given_stride == Pair(0) ? ksize : given_stride;
  kernels::Window2D w;
  w.out_h = x[2], w.out_w = x[3], w.k_h = ksize.y, w.k_w = ksize.x;
  w.s_y = stride.y, w.s_x = stride.x, w.p_y = pad.y, w.p_x = pad.x;
  w.h = window_extent(op, w.out_h, ksize.y, stride.y, pad.y, cover_all);
  w.w = window_extent(op, w.out_w, ksize.x, stride.x, pad.x, cover_all);
  if (outsize) w.h = outsize->y, w.w = outsize->x;
  DNN_EXPECT(op, w.h > 0);
  DNN_EXPECT(op, w.w > 0);
  DNN_EXPECT(op, w.cells() < (std::int64_t{1} << 31));
  return w;
}

class PoolingNode : public FunctionNode {
 public:
  explicit PoolingNode(const kernels::Window2D& window) : window_(window) {}
  void check(std::span<const Array> x) const override {
    if (!is_float(x[0].dtype())) throw DTypeError("[", name(), "] takes a float dtype, not ", x[0].dtype());
  }

 protected:
  static std::int64_t planes(const Array& x) { return x.shape()[0] * x.shape()[1]; }
  /// An array with a value for each place of the windows, or for each pixel, of the planes of x.
  Array places_for(const Array& x) const { return resized(x, window_.out_h, window_.out_w); }
  Array pixels_for(const Array& x) const { return resized(x, window_.h, window_.w); }

  kernels::Window2D window_;

 private:
  static Array resized(const Array& x, std::int64_t h, std::int64_t w) {
    return Array({x.shape()[0], x.shape()[1], h, w}, x.dtype(), x.device());
  }
};

/// Picks the pixel in a given cell of every window.
class MaxPooling2DWithIndexes final : public PoolingNode {
 public:
  MaxPooling2DWithIndexes(const kernels::Window2D& window, const Array& cells) : PoolingNode(window), cells_(cells) {}
  std::string_view name() const override { return "MaxPooling2DWithIndexes"; }
  Arrays forward(std::span<const Array> x) override {
    Array y = places_for(x[0]);
    visit_float(y.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      kernels::gather_cells(window_, planes(y), x[0].data<T>(), std::as_const(cells_).data<std::int32_t>(),
                            y.data<T>());
    });
    return {y};
  }
  inline Variables backward(const Variables& gy) override;

 private:
  Array cells_;
};

/// Puts every value at the pixel in a given cell of its window, and 0 elsewhere; the transpose of the above.
class Upsampling2D final : public PoolingNode {
 public:
  Upsampling2D(const kernels::Window2D& window, const Array& cells) : PoolingNode(window), cells_(cells) {}
  std::string_view name() const override { return "Upsampling2D"; }
  Arrays forward(std::span<const Array> y) override {
    Array x = pixels_for(y[0]);
    visit_float(x.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      kernels::scatter_cells(window_, planes(x), y[0].data<T>(), std::as_const(cells_).data<std::int32_t>(),
                             x.data<T>());
    });
    return {x};
  }
  Variables backward(const Variables& gx) override {
    return {call(make_ref<MaxPooling2DWithIndexes>(window_, cells_), gx[0])};
  }

 private:
  Array cells_;
};

inline Variables MaxPooling2DWithIndexes::backward(const Variables& gy) {
  return {call(make_ref<Upsampling2D>(window_, cells_), gy[0])};
}

/// The scaled sum of the pixels under every window.
class AveragePooling2D final : public PoolingNode {
 public:
  AveragePooling2D(const kernels::Window2D& window, double scale) : PoolingNode(window), scale_(scale) {}
  std::string_view name() const override { return "AveragePooling2D"; }
  Arrays forward(std::span<const Array> x) override {
    Array y = places_for(x[0]);
    visit_float(y.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      kernels::sum_windows(window_, planes(y), x[0].data<T>(), scale_, y.data<T>());
    });
    return {y};
  }
  inline Variables backward(const Variables& gy) override;

 private:
  double scale_;
};

/// Adds every value, scaled, to the pixels under its window; the transpose of the above.
class Unpooling2D final : public PoolingNode {
 public:
  Unpooling2D(const kernels::Window2D& window, double scale) : PoolingNode(window), scale_(scale) {}
  std::string_view name() const override { return "Unpooling2D"; }
  Arrays forward(std::span<const Array> y) override {
    Array x = pixels_for(y[0]);
    visit_float(x.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      kernels::spread_windows(window_, planes(x), y[0].data<T>(), scale_, x.data<T>());
    });
    return {x};
  }
  Variables backward(const Variables& gx) override {
    return {call(make_ref<AveragePooling2D>(window_, scale_), gx[0])};
  }

 private:
  double scale_;
};

inline Variables AveragePooling2D::backward(const Variables& gy) {
  return {call(make_ref<Unpooling2D>(window_, scale_), gy[0])};
}

}  // namespace nodes

}  // namespace dnn::inline DNN_ABI::inline functions
