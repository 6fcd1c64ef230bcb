/// Fully connected layer: y = x W^T + b.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/gemm.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// C (m x n) = op(A) op(B), or C += with `accumulate`: dense matrices of one compute dtype.
inline void matrix_product(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const Array& a,
                           const Array& b, Array& c, bool accumulate = false) {
  visit_float(c.dtype(), "linear", [&]<class T>(std::type_identity<T>) {
    kernels::gemm(trans_a, trans_b, m, n, k, a.data<T>(), trans_a ? m : k, b.data<T>(), trans_b ? k : n, c.data<T>(), n,
                  accumulate);
  });
}

/// A product of (rows x in), (rows x out) and (out x in) matrices; each of the three is linear in the other two, and
/// their gradients are each other.
struct LinearFunction final : FunctionNode {
  explicit LinearFunction(int n_batch_axes_) : n_batch_axes(n_batch_axes_) {}
  std::string_view name() const override { return "LinearFunction"; }
  inline void check(std::span<const Array> inputs) const override;
  inline Arrays forward(std::span<const Array> inputs) override;
  inline Variables backward(const Variables& gy) override;

  int n_batch_axes;
};

/// (gy, W) -> gy W, under the shape of x.
struct LinearGradData final : FunctionNode {
  LinearGradData(const Shape& x_shape, int n_batch_axes_) : shape(x_shape), n_batch_axes(n_batch_axes_) {}
  std::string_view name() const override { return "LinearGradData"; }
  Arrays forward(std::span<const Array> inputs) override {
    retain_inputs({0, 1});
    const Array &gy = inputs[0], &W = inputs[1];
    const auto out = W.shape()[0], in = W.shape()[1];
    Array gx(shape, gy.dtype(), gy.device());
    matrix_product(false, false, shape.slice(0, n_batch_axes).size(), in, out, gy, W, gx);
    return Arrays::of(std::move(gx));
  }
  inline Variables backward(const Variables& ggx) override;

  Shape shape;
  int n_batch_axes;
};

/// (x, gy) -> gy^T x, under the shape of W.
struct LinearGradWeight final : FunctionNode {
  LinearGradWeight(const Shape& W_shape, int n_batch_axes_) : shape(W_shape), n_batch_axes(n_batch_axes_) {}
  std::string_view name() const override { return "LinearGradWeight"; }
  Arrays forward(std::span<const Array> inputs) override {
    retain_inputs({0, 1});
    const Array &x = inputs[0], &gy = inputs[1];
    Array gW(shape, x.dtype(), x.device());
    matrix_product(true, false, shape[0], shape[1], x.shape().slice(0, n_batch_axes).size(), gy, x, gW);
    return Arrays::of(std::move(gW));
  }
  Variables backward(const Variables& ggW) override {
    const Variable x = retained_input(0), gy = retained_input(1);
    Variables grads(2);
    if (wanted(0)) grads[0] = call(make_ref<LinearGradData>(x.shape(), n_batch_axes), gy, ggW[0]);
    if (wanted(1)) grads[1] = call(make_ref<LinearFunction>(n_batch_axes), x, ggW[0]);
    return grads;
  }

  Shape shape;
  int n_batch_axes;
};

inline void LinearFunction::check(std::span<const Array> inputs) const {
  const Array &x = inputs[0], &W = inputs[1];
  DNN_EXPECT("linear", n_batch_axes >= 1);
  DNN_EXPECT("linear", x.ndim() >= n_batch_axes);
  DNN_EXPECT("linear", W.ndim() == 2);
  if (x.ndim() == 2 && n_batch_axes == 1) {
    DNN_EXPECT("linear", x.shape()[1] == W.shape()[1]);
  }
  const auto x_features = x.shape().slice(n_batch_axes, x.ndim()).size();
  DNN_EXPECT("linear", x_features == W.shape()[1]);
  DNN_EXPECT("linear", is_float(x.dtype()));
  DNN_EXPECT("linear", x.dtype() == W.dtype());
  if (inputs.size() == 3) {
    const Array& b = inputs[2];
    DNN_EXPECT("linear", b.dtype() == W.dtype());
    DNN_EXPECT("linear", b.ndim() == 1);
    DNN_EXPECT("linear", b.shape()[0] == W.shape()[0]);
  }
}

inline Arrays LinearFunction::forward(std::span<const Array> inputs) {
  retain_inputs({0, 1});
  const Array &x = inputs[0], &W = inputs[1];
  const Shape rows_shape = x.shape().slice(0, n_batch_axes);
  const auto rows = rows_shape.size(), in = W.shape()[1], out = W.shape()[0];
  Array y(rows_shape.with_inserted(n_batch_axes, out), x.dtype(), x.device());
  const bool biased = inputs.size() == 3;
  if (biased) {
    // The product is added to the bias, so that y is written and read again only while it is in the cache.
    const std::byte* bias = inputs[2].bytes();
    std::byte* to = y.bytes();
    const auto row_bytes = static_cast<std::size_t>(out) * itemsize(y.dtype());
    kernels::parallel_for(rows, std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(out, 1)),
                          [=](std::int64_t begin, std::int64_t end) {
                            for (auto r = begin; r < end; ++r) {
                              std::memcpy(to + static_cast<std::size_t>(r) * row_bytes, bias, row_bytes);
                            }
                          });
  }
  matrix_product(false, true, rows, out, in, x, W, y, biased);
  return Arrays::of(std::move(y));
}

inline Variables LinearFunction::backward(const Variables& gy) {
  Variables grads(inputs().size());
  if (wanted(0)) {
    grads[0] = call(make_ref<LinearGradData>(inputs()[0]->shape, n_batch_axes), gy[0], retained_input(1));
  }
  if (wanted(1)) {
    grads[1] = call(make_ref<LinearGradWeight>(inputs()[1]->shape, n_batch_axes), retained_input(0), gy[0]);
  }
  if (inputs().size() == 3 && wanted(2)) grads[2] = sum_to(gy[0], inputs()[2]->shape);
  return grads;
}

inline Variables LinearGradData::backward(const Variables& ggx) {
  const Variable gy = retained_input(0), W = retained_input(1);
  Variables grads(2);
  if (wanted(0)) grads[0] = call(make_ref<LinearFunction>(n_batch_axes), ggx[0], W);
  if (wanted(1)) grads[1] = call(make_ref<LinearGradWeight>(W.shape(), n_batch_axes), ggx[0], gy);
  return grads;
}

}  // namespace nodes

/// y = x W^T + b. x has `n_batch_axes` leading axes that y keeps, the rest is flattened to the `in` features of
/// W (out, in); b (out) may be left undefined. One float dtype. Throws ArgumentError when shapes or dtypes do not fit.
inline Variable linear(const Variable& x, const Variable& W, const Variable& b = {}, int n_batch_axes = 1) {
  auto function = make_ref<nodes::LinearFunction>(n_batch_axes);
  return b.defined() ? call(std::move(function), x, W, b) : call(std::move(function), x, W);
}

}  // namespace dnn::inline DNN_ABI::inline functions
