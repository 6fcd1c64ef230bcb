#pragma once

#include <string_view>

#include "dnn/array/reduce.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// Max and Min. Every element that attains the extreme gets the full gradient.
template <class Op>
struct Extreme final : FunctionNode {
  Extreme(const Axes& over, bool keep) : axes(over), keepdims(keep) {}
  std::string_view name() const override { return std::is_same_v<Op, kernels::Max> ? "Max" : "Min"; }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> x) const override {
    const unsigned over = axes.mask(x[0].ndim(), name());
    for (int i = 0; i < x[0].ndim(); ++i) {
      if (over >> i & 1 && x[0].shape()[i] == 0) {
        throw ArgumentError("[", name(), "] axis ", i, " of shape ", x[0].shape(), " is empty: there is no extreme");
      }
    }
  }
  Arrays forward(std::span<const Array> x) override {
    mask = axes.mask(x[0].ndim(), name());
    retain_inputs({0});
    retain_outputs({0});
    return {reduce_axes<Op>(x[0], mask).reshape(reduced_shape(x[0].shape(), mask, keepdims))};
  }
  Variables backward(const Variables& gy) override {
    const Shape kept = reduced_shape(inputs()[0]->shape, mask, true);
    const Variable y = retained_output_array(0).reshape(kept);
    return {where(Variable(retained_input_array(0)) == y, reshape(gy[0], kept), 0)};
  }

  Axes axes;
  bool keepdims;
  unsigned mask = 0;
};

}  // namespace nodes

/// The largest element over `axis`: all axes by default, `1` one, `{0, 2}` several; `keepdims` leaves them with size 1.
/// NaN if one of them is NaN. Any dtype. Throws IndexError for an axis out of range, ArgumentError for one named twice
/// or empty.
inline Variable max(const Variable& x, const Axes& axis = {}, bool keepdims = false) {
  return call(make_ref<nodes::Extreme<kernels::Max>>(axis, keepdims), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
