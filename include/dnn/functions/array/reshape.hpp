/// The same elements under another shape. No elements are copied: the result shares storage with x.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"

namespace dnn::inline DNN_ABI::inline functions {

Variable reshape(const Variable& x, std::span<const std::int64_t> shape);
Variable reshape(const Variable& x, const Shape& shape);

namespace nodes {

struct Reshape final : FunctionNode {
  explicit Reshape(const Shape& shape) : target(shape) {}
  std::string_view name() const override { return "Reshape"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override { return {x[0].reshape(target)}; }
  Variables backward(const Variables& gy) override { return {reshape(gy[0], inputs()[0]->shape)}; }

  Shape target;
};

}  // namespace nodes

/// x under `shape`, of which one size may be -1: what is left. Any dtype; itself when it has the shape.
/// Throws ShapeError when the number of elements differs.
inline Variable reshape(const Variable& x, std::span<const std::int64_t> shape) {
  const Shape target = x.array().reshape(shape).shape();
  if (target == x.shape()) return x;
  return call(make_ref<nodes::Reshape>(target), x);
}
inline Variable reshape(const Variable& x, std::initializer_list<std::int64_t> shape) {
  return reshape(x, std::span(shape.begin(), shape.size()));
}
inline Variable reshape(const Variable& x, const Shape& shape) { return reshape(x, shape.span()); }

}  // namespace dnn::inline DNN_ABI::inline functions
