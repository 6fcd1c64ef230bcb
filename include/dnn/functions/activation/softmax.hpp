/// Softmax over an axis, and the node that it shares with log_softmax.
///
///     y = exp(x - max x) / sum exp(x - max x)
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/kernels/softmax.hpp"

namespace dnn::inline DNN_ABI::inline functions::nodes {

/// An axis of a shape: how many elements are before, along and behind it.
struct SoftmaxAxis {
  SoftmaxAxis(const Shape& shape, int axis)
      : outer(shape.slice(0, axis).size()), length(shape[axis]), inner(shape.slice(axis + 1, shape.ndim()).size()) {}
  std::int64_t outer, length, inner;
};

/// Softmax, or its logarithm.
template <bool Log>
struct SoftmaxNode final : FunctionNode {
  explicit SoftmaxNode(int over) : axis(over) {}
  std::string_view name() const override { return Log ? "LogSoftmax" : "Softmax"; }
  void check(std::span<const Array> x) const override {
    if (!is_float(x[0].dtype())) throw DTypeError("[", name(), "] takes a float dtype, not ", x[0].dtype());
  }
  Arrays forward(std::span<const Array> x) override {
    retain_outputs({0});
    Array y(x[0].shape(), x[0].dtype(), x[0].device());
    const SoftmaxAxis along(y.shape(), axis);
    visit_float(y.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      kernels::softmax(y.data<T>(), x[0].data<T>(), along.outer, along.length, along.inner, Log);
    });
    return {y};
  }
  Variables backward(const Variables& gy) override {
    if (config().enable_backprop) {
      const Variable y = retained_output(0);
      if constexpr (Log) return {gy[0] - exp(y) * sum(gy[0], axis, true)};
      else return {y * (gy[0] - sum(y * gy[0], axis, true))};
    }
    const DType dtype = gy[0].dtype(), compute = compute_dtype(dtype);
    const Array y = retained_output_array(0).to(compute), g = gy[0].array().to(compute);
    Array gx(y.shape(), compute, y.device());
    const SoftmaxAxis along(y.shape(), axis);
    visit_float(compute, name(), [&]<class T>(std::type_identity<T>) {
      kernels::softmax_gradient(gx.data<T>(), g.data<T>(), y.data<T>(), along.outer, along.length, along.inner, Log);
    });
    return {Variable(gx.to(dtype))};
  }

  int axis;
};

}  // namespace dnn::inline DNN_ABI::inline functions::nodes

namespace dnn::inline DNN_ABI::inline functions {

/// exp(x) / sum(exp(x)) over `axis`, by default axis 1; shifted by the maximum: nothing overflows. Float dtypes.
/// Throws IndexError for an axis out of range.
inline Variable softmax(const Variable& x, int axis = 1) {
  return call(make_ref<nodes::SoftmaxNode<false>>(normalize_axis(axis, x.ndim(), "softmax")), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
