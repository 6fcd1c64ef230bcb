/// Fully connected layer: y = x W^T + b.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/copy.hpp"
#include "dnn/kernels/gemm.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// C (m x n) = op(A) op(B), with `bias` (n) added to every row unless it is null: dense matrices of one compute dtype.
inline void matrix_product(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const Array& a,
                           const Array& b, Array& c, const Array* bias = nullptr) {
  kernels::visit_product(c.dtype(), "linear", [&]<class T>(std::type_identity<T>) {
    kernels::gemm(trans_a, trans_b, m, n, k, a.data<T>(), trans_a ? m : k, b.data<T>(), trans_b ? k : n, c.data<T>(), n,
                  false, bias ? bias->data<T>() : nullptr);
  });
}

/// x (rows x in), W (out x in) and y (rows x out), or their gradients: each is a product of the other two, and the
/// gradients of one product are the other products.
enum class LinearResult { y, x, W };

/// (x, W[, b]) -> y; (gy, W) -> gx; (x, gy) -> gW.
class LinearFunction final : public FunctionNode {
 public:
  /// `shape` is that of gx or gW; y's follows from its inputs.
  LinearFunction(LinearResult result, int n_batch_axes, const Shape& shape = {})
      : result_(result), n_batch_axes_(n_batch_axes), shape_(shape) {}

  std::string_view name() const override {
    return result_ == LinearResult::y   ? "LinearFunction"
           : result_ == LinearResult::x ? "LinearGradData"
                                        : "LinearGradWeight";
  }

  bool takes_16bit_floats() const override { return kernels::multiplies_16bit_floats(); }

  void check(std::span<const Array> inputs) const override {
    if (result_ != LinearResult::y) return;
    const int n_batch_axes = n_batch_axes_;
    const Array &x = inputs[0], &W = inputs[1];
    DNN_EXPECT("linear", n_batch_axes >= 1);
    DNN_EXPECT("linear", x.ndim() >= n_batch_axes);
    DNN_EXPECT("linear", W.ndim() == 2);
    if (x.ndim() == 2 && n_batch_axes == 1) DNN_EXPECT("linear", x.shape()[1] == W.shape()[1]);
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

  Arrays forward(std::span<const Array> inputs) override {
    retain_inputs({0, 1});
    const Array &a = inputs[0], &b = inputs[1];
    const Shape rows = (result_ == LinearResult::x ? shape_ : a.shape()).slice(0, n_batch_axes_);
    if (result_ == LinearResult::y) shape_ = rows.with_inserted(n_batch_axes_, b.shape()[0]);
    const Shape& W_shape = result_ == LinearResult::W ? shape_ : b.shape();
    const auto n = rows.size(), out = W_shape[0], in = W_shape[1];
    Array product(shape_, a.dtype(), a.device());
    switch (result_) {
      case LinearResult::y:
        matrix_product(false, true, n, out, in, a, b, product, inputs.size() == 3 ? &inputs[2] : nullptr);
        break;
      case LinearResult::x: matrix_product(false, false, n, in, out, a, b, product); break;
      case LinearResult::W: matrix_product(true, false, out, in, n, b, a, product); break;
    }
    return Arrays::of(std::move(product));
  }

  Variables backward(const Variables& gradient) override {
    const Variable& g = gradient[0];
    const Variable a = retained_input(0), b = retained_input(1);
    Variables gx(inputs().size());
    const auto product = [this](LinearResult result, const Variable& first, const Variable& second,
                                const Shape& shape) {
      return call(make_ref<LinearFunction>(result, n_batch_axes_, shape), first, second);
    };
    switch (result_) {
      case LinearResult::y:
        if (wanted(0)) gx[0] = product(LinearResult::x, g, b, a.shape());
        if (wanted(1)) gx[1] = product(LinearResult::W, a, g, b.shape());
        if (gx.size() == 3 && wanted(2)) gx[2] = sum_to(g, inputs()[2]->shape);
        break;
      case LinearResult::x:
        if (wanted(0)) gx[0] = product(LinearResult::y, g, b, {});
        if (wanted(1)) gx[1] = product(LinearResult::W, g, a, b.shape());
        break;
      case LinearResult::W:
        if (wanted(0)) gx[0] = product(LinearResult::x, b, g, a.shape());
        if (wanted(1)) gx[1] = product(LinearResult::y, a, g, {});
        break;
    }
    return gx;
  }

 private:
  LinearResult result_;
  int n_batch_axes_;
  Shape shape_;
};

}  // namespace nodes

/// y = x W^T + b. x has `n_batch_axes` leading axes that y keeps, the rest is flattened to the `in` features of
/// W (out, in); b (out) may be left undefined. One float dtype. Throws ArgumentError when shapes or dtypes do not fit.
inline Variable linear(const Variable& x, const Variable& W, const Variable& b = {}, int n_batch_axes = 1) {
  auto function = make_ref<nodes::LinearFunction>(nodes::LinearResult::y, n_batch_axes);
  return b.defined() ? call(std::move(function), x, W, b) : call(std::move(function), x, W);
}

}  // namespace dnn::inline DNN_ABI::inline functions
