/// The largest value under every window.
#pragma once

#include <string_view>
#include <utility>

#include "dnn/functions/pooling/pooling_2d.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

class MaxPooling2D final : public PoolingNode {
 public:
  explicit MaxPooling2D(const kernels::Window2D& window) : PoolingNode(window) {}
  std::string_view name() const override { return "MaxPooling2D"; }
  Arrays forward(std::span<const Array> x) override {
    Array y = places_for(x[0]);
    cells_ = Array(y.shape(), int32, y.device());
    visit_float(y.dtype(), "max_pooling_2d", [&]<class T>(std::type_identity<T>) {
      kernels::max_pooling(window_, planes(y), x[0].data<T>(), y.data<T>(), cells_.data<std::int32_t>());
    });
    return {y};
  }
  Variables backward(const Variables& gy) override { return {call(make_ref<Upsampling2D>(window_, cells_), gy[0])}; }

  /// The cell of the window that held the largest value, counted row by row.
  const Array& cells() const noexcept { return cells_; }

 private:
  Array cells_;
};

}  // namespace nodes

/// x (N, C, H, W) -> (N, C, out_h, out_w), out_h = (H + 2 pad - ksize) / stride + 1, rounded up by default (cover_all).
/// Padding never wins. Of equal values the first gets the gradient, a NaN wins. Float dtypes.
/// Throws ArgumentError when options do not fit or nothing would be left.
inline Variable max_pooling_2d(const Variable& x, Pair ksize, const MaxPooling2DOptions& options = {}) {
  const auto [stride, pad, cover_all] = options;
  return call(
      make_ref<nodes::MaxPooling2D>(nodes::pooling_window("max_pooling_2d", x.shape(), ksize, stride, pad, cover_all)),
      x);
}

/// The same together with the place of each maximum within its window, int32, counted row by row: what upsampling_2d
/// takes.
inline std::pair<Variable, Array> max_pooling_2d_with_indices(const Variable& x, Pair ksize,
                                                              const MaxPooling2DOptions& options = {}) {
  const auto [stride, pad, cover_all] = options;
  auto function =
      make_ref<nodes::MaxPooling2D>(nodes::pooling_window("max_pooling_2d", x.shape(), ksize, stride, pad, cover_all));
  Variable y = call(function, x);
  return {y, function->cells()};
}

}  // namespace dnn::inline DNN_ABI::inline functions
