/// Matrix products.
///
///     matmul(a, b)                       (m, k) (k, n) -> (m, n)
///     matmul(a, b, {.transa = true})     (k, m) (k, n) -> (m, n): the last two axes of a are exchanged, without a copy
///     matmul(a, b)                       (..., m, k) (..., k, n) -> (..., m, n), the leading axes broadcast
///     a vector                           is a row on the left, a column on the right; that axis is then dropped
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/gemm.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct MatmulOptions {
  bool transa = false;
  bool transb = false;
};

Variable matmul(const Variable& a, const Variable& b, const MatmulOptions& options = {});

namespace nodes {

/// Of operands with at least two axes.
struct MatMul final : FunctionNode {
  explicit MatMul(const MatmulOptions& flags) : options(flags) {}
  std::string_view name() const override { return "MatMul"; }
  bool takes_16bit_floats() const override { return kernels::multiplies_16bit_floats(); }
  void check(std::span<const Array> x) const override {
    const Shape &a = x[0].shape(), &b = x[1].shape();
    if (!is_float(x[0].dtype())) throw DTypeError("[matmul] takes float dtypes, not ", x[0].dtype());
    DNN_EXPECT("matmul", x[0].dtype() == x[1].dtype());
    const auto a_columns = a[a.ndim() - (options.transa ? 2 : 1)], b_rows = b[b.ndim() - (options.transb ? 1 : 2)];
    DNN_EXPECT("matmul", a_columns == b_rows);
  }
  Arrays forward(std::span<const Array> x) override {
    retain_inputs({0, 1});
    const Shape &a = x[0].shape(), &b = x[1].shape();
    const Shape a_batch = a.slice(0, a.ndim() - 2), b_batch = b.slice(0, b.ndim() - 2);
    Shape shape = broadcast_shapes(a_batch, b_batch, "matmul");
    const auto lda = a[a.ndim() - 1], ldb = b[b.ndim() - 1];
    const auto m = options.transa ? lda : a[a.ndim() - 2], k = options.transa ? a[a.ndim() - 2] : lda;
    const auto n = options.transb ? b[b.ndim() - 2] : ldb;
    kernels::BatchAxes batch;
    for (int i = 0; i < shape.ndim(); ++i) batch.sizes[batch.count++] = shape[i];
    shape = shape.with_inserted(shape.ndim(), m);
    shape = shape.with_inserted(shape.ndim(), n);
    Array y(shape, x[0].dtype(), x[0].device());
    kernels::visit_product(y.dtype(), "matmul", [&]<class T>(std::type_identity<T>) {
      kernels::BatchAxes::Strides a_strides = {}, b_strides = {};
      set_strides(a_strides, batch.count, a_batch, m * k);
      set_strides(b_strides, batch.count, b_batch, k * n);
      kernels::gemm_batched(batch, options.transa, options.transb, m, n, k, x[0].data<T>(), lda, a_strides,
                            x[1].data<T>(), ldb, b_strides, y.data<T>());
    });
    return {y};
  }
  Variables backward(const Variables& gy) override {
    const Variable a = retained_input(0), b = retained_input(1);
    Variables gx(2);
    if (wanted(0)) {
      gx[0] = options.transa ? matmul(b, gy[0], {.transa = options.transb, .transb = true})
                             : matmul(gy[0], b, {.transb = !options.transb});
      gx[0] = sum_to(gx[0], a.shape());
    }
    if (wanted(1)) {
      gx[1] = options.transb ? matmul(gy[0], a, {.transa = true, .transb = options.transa})
                             : matmul(a, gy[0], {.transa = !options.transa});
      gx[1] = sum_to(gx[1], b.shape());
    }
    return gx;
  }

  MatmulOptions options;

 private:
  /// The distances between the matrices, of `size` elements, of an operand whose leading axes `own` broadcast to
  /// `count` axes.
  static void set_strides(kernels::BatchAxes::Strides& strides, int count, const Shape& own, std::int64_t size) {
    for (int axis = own.ndim() - 1; axis >= 0; size *= own[axis--]) {
      if (own[axis] != 1) strides[count - own.ndim() + axis] = size;
    }
  }
};

}  // namespace nodes

/// The product of a and b, as numpy.matmul. The flags do nothing to a vector. One float dtype.
/// Throws ArgumentError for a scalar or sizes that do not fit, ShapeError when the leading axes do not broadcast.
inline Variable matmul(const Variable& a, const Variable& b, const MatmulOptions& options) {
  DNN_EXPECT("matmul", a.ndim() >= 1);
  DNN_EXPECT("matmul", b.ndim() >= 1);
  if (a.ndim() == 1 || b.ndim() == 1) {
    MatmulOptions flags = options;
    Variable row = a, column = b;
    if (a.ndim() == 1) row = reshape(a, {1, a.size()}), flags.transa = false;
    if (b.ndim() == 1) column = reshape(b, {b.size(), 1}), flags.transb = false;
    const Variable y = matmul(row, column, flags);
    Shape shape = y.shape();
    if (b.ndim() == 1) shape = shape.without(shape.ndim() - 1);
    if (a.ndim() == 1) shape = shape.without(shape.ndim() - (b.ndim() == 1 ? 1 : 2));
    return reshape(y, shape);
  }
  if (a.ndim() > 2 && b.ndim() == 2 && !options.transa) {
    // One matrix for the whole batch: one product, and one for its gradient.
    const int last = a.ndim() - 1;
    const Variable y = matmul(reshape(a, Shape{a.shape().slice(0, last).size(), a.shape()[last]}), b, options);
    return reshape(y, a.shape().with(last, y.shape()[1]));
  }
  return call(make_ref<nodes::MatMul>(options), a, b);
}

}  // namespace dnn::inline DNN_ABI::inline functions
