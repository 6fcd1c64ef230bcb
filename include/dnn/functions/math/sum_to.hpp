/// Broadcasting and its inverse, each the gradient of the other.
///
///     broadcast_to(x, shape)   x repeated along axes of size 1 and new leading axes
///     sum_to(x, shape)         x summed so that the result has `shape`
#pragma once

#include <string_view>

#include "dnn/array/reduce.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/kernels/copy.hpp"

namespace dnn::inline DNN_ABI::inline functions {

Variable broadcast_to(const Variable& x, const Shape& shape);
Variable sum_to(const Variable& x, const Shape& shape);

namespace nodes {

struct BroadcastTo final : FunctionNode {
  explicit BroadcastTo(const Shape& shape) : target(shape) {}
  std::string_view name() const override { return "BroadcastTo"; }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> in) const override {
    const Shape &x_shape = in[0].shape(), &shape = target;
    const auto broadcast = [](const Shape& a, const Shape& b) { return broadcast_shapes(a, b, "broadcast_to"); };
    DNN_EXPECT("broadcast_to", broadcast(x_shape, shape) == shape);
  }
  Arrays forward(std::span<const Array> x) override {
    Array y(target, x[0].dtype(), x[0].device());
    const auto own = strides_of(x[0].shape());
    kernels::Strides strides{};
    const int lead = target.ndim() - x[0].ndim();
    for (int i = lead; i < target.ndim(); ++i) {
      if (x[0].shape()[i - lead] != 1) strides[static_cast<std::size_t>(i)] = own[static_cast<std::size_t>(i - lead)];
    }
    kernels::copy_strided(y.bytes(), strides_of(target), x[0].bytes(), strides, target, itemsize(y.dtype()));
    return {y};
  }
  Variables backward(const Variables& gy) override { return {sum_to(gy[0], inputs()[0]->shape)}; }

  Shape target;
};

struct SumTo final : FunctionNode {
  explicit SumTo(const Shape& shape) : target(shape) {}
  std::string_view name() const override { return "SumTo"; }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> in) const override {
    const Shape &x_shape = in[0].shape(), &shape = target;
    const auto broadcast = [](const Shape& a, const Shape& b) { return broadcast_shapes(a, b, "sum_to"); };
    DNN_EXPECT("sum_to", broadcast(shape, x_shape) == x_shape);
  }
  Arrays forward(std::span<const Array> x) override {
    if (x[0].size() == target.size()) return Arrays::of(x[0].reshape(target));
    return {reduce_axes<kernels::Sum>(x[0], broadcast_mask(x[0].shape(), target)).reshape(target)};
  }
  Variables backward(const Variables& gy) override { return {broadcast_to(gy[0], inputs()[0]->shape)}; }

  Shape target;
};

}  // namespace nodes

/// x broadcast to `shape`, as NumPy; any dtype. Throws ArgumentError when it does not fit. Itself when it has the
/// shape.
inline Variable broadcast_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return call(make_ref<nodes::BroadcastTo>(shape), x);
}

/// x summed over the axes that broadcasting `shape` to x's shape would repeat. Itself when it has the shape.
inline Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return call(make_ref<nodes::SumTo>(shape), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
