#pragma once

#include <string_view>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/array/reduce.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/array/transpose.hpp"
#include "dnn/functions/array/where.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum_to.hpp"

namespace dnn::inline DNN_ABI::inline functions {

Variable prod(const Variable& x, const Axes& axis = {}, bool keepdims = false);

namespace nodes {

struct Prod final : FunctionNode {
  Prod(const Axes& over, bool keep) : axes(over), keepdims(keep) {}
  std::string_view name() const override { return "Prod"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    retain_inputs({0});
    mask = axes.mask(x[0].ndim(), "prod");
    const Array& factors = is_float(x[0].dtype()) ? x[0] : x[0].to(int64);
    return {reduce_axes<kernels::Product>(factors, mask).reshape(reduced_shape(x[0].shape(), mask, keepdims))};
  }
  /// Of each factor the product of the others: right where factors are 0, too.
  Variables backward(const Variables& gy) override {
    const Variable x = retained_input(0);
    const Shape& shape = x.shape();
    std::vector<int> order;  // the axes that are kept, then those multiplied over
    std::vector<int> back(static_cast<std::size_t>(x.ndim()));
    for (const unsigned reduced : {0u, 1u}) {
      for (int i = 0; i < x.ndim(); ++i) {
        if ((mask >> i & 1) != reduced) continue;
        back[static_cast<std::size_t>(i)] = static_cast<int>(order.size());
        order.push_back(i);
      }
    }
    const Variable sorted = transpose(x, order);
    const auto rows = reduced_shape(shape, mask, false).size();
    const auto n = rows == 0 ? 0 : shape.size() / rows;
    const Variable each = broadcast_to(reshape(sorted, Shape{rows, 1, n}), Shape{rows, n, n});
    const Variable others = prod(where(eye(n, boolean), 1, each), 2);
    const Variable g = broadcast_to(reshape(gy[0], reduced_shape(shape, mask, true)), shape);
    return {g * transpose(reshape(others, sorted.shape()), back)};
  }

  Axes axes;
  bool keepdims;
  unsigned mask = 0;
};

}  // namespace nodes

/// The product over `axis`: all axes by default, `1` one, `{0, 2}` several; `keepdims` leaves them with size 1. float16
/// is multiplied in float32; integers and bools give int64. A product of nothing is 1. The gradient takes memory for
/// the square of the number of factors. Throws IndexError for an axis out of range, ArgumentError for one named twice.
inline Variable prod(const Variable& x, const Axes& axis, bool keepdims) {
  return call(make_ref<nodes::Prod>(axis, keepdims), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
