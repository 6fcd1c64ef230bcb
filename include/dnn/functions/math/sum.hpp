#pragma once

#include <string_view>

#include "dnn/array/reduce.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/sum_to.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Sum final : FunctionNode {
  Sum(const Axes& over, bool keep) : axes(over), keepdims(keep) {}
  std::string_view name() const override { return "Sum"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    mask = axes.mask(x[0].ndim(), "sum");
    const Array& terms = is_float(x[0].dtype()) ? x[0] : x[0].to(int64);
    return {reduce_axes<kernels::Sum>(terms, mask).reshape(reduced_shape(x[0].shape(), mask, keepdims))};
  }
  Variables backward(const Variables& gy) override {
    const Shape& shape = inputs()[0]->shape;
    return {broadcast_to(reshape(gy[0], reduced_shape(shape, mask, true)), shape)};
  }

  Axes axes;
  bool keepdims;
  unsigned mask = 0;
};

}  // namespace nodes

/// The sum over `axis`: all axes by default, `1` one, `{0, 2}` several; `keepdims` leaves them with size 1. float16 is
/// added up in float32; integers and bools give int64. A sum of nothing is 0.
/// Throws IndexError for an axis out of range, ArgumentError for one named twice.
inline Variable sum(const Variable& x, const Axes& axis = {}, bool keepdims = false) {
  return call(make_ref<nodes::Sum>(axis, keepdims), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
