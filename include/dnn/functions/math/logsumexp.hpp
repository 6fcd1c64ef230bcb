#pragma once

#include <array>
#include <string_view>

#include "dnn/array/reduce.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct FiniteOrZero {
  template <class V>
  constexpr V operator()(V x) const {
    return where(x - x == V(0), x, 0);
  }
};

struct ShiftedExp {
  template <class V>
  constexpr V operator()(V x, V shift) const {
    return exp(x - shift);
  }
};

struct ShiftedLog {
  template <class V>
  constexpr V operator()(V total, V shift) const {
    return log(total) + shift;
  }
};

struct LogSumExp final : FunctionNode {
  explicit LogSumExp(const Axes& over) : axes(over) {}
  std::string_view name() const override { return "LogSumExp"; }
  void check(std::span<const Array> x) const override {
    if (!is_float(x[0].dtype())) throw DTypeError("[logsumexp] takes a float dtype, not ", x[0].dtype());
  }
  Arrays forward(std::span<const Array> x) override {
    mask = axes.mask(x[0].ndim(), "logsumexp");
    retain_inputs({0});
    retain_outputs({0});
    // Only a finite maximum is a shift: -inf and inf are their own result.
    const Array largest = reduce_axes<kernels::Max>(x[0], mask);
    Array shift(largest.shape(), largest.dtype(), largest.device()), e(x[0].shape(), x[0].dtype(), x[0].device());
    Array y(largest.shape(), largest.dtype(), largest.device());
    kernels::elementwise(FiniteOrZero{}, shift.bytes(), shift.dtype(), shift.shape(), std::array{largest.operand()});
    kernels::elementwise(ShiftedExp{}, e.bytes(), e.dtype(), e.shape(), std::array{x[0].operand(), shift.operand()});
    const Array total = reduce_axes<kernels::Sum>(e, mask);
    kernels::elementwise(ShiftedLog{}, y.bytes(), y.dtype(), y.shape(), std::array{total.operand(), shift.operand()});
    return {y.reshape(reduced_shape(x[0].shape(), mask, false))};
  }
  Variables backward(const Variables& gy) override {
    const Variable x = retained_input(0);
    const Shape kept = reduced_shape(x.shape(), mask, true);
    return {reshape(gy[0], kept) * exp(x - reshape(retained_output(0), kept))};
  }

  Axes axes;
  unsigned mask = 0;
};

}  // namespace nodes

/// log(sum(exp(x))) over `axis`: all axes by default, `1` one, `{0, 2}` several. Shifted by the maximum: nothing
/// overflows; -inf for nothing but -inf. Float dtypes.
inline Variable logsumexp(const Variable& x, const Axes& axis = {}) {
  return call(make_ref<nodes::LogSumExp>(axis), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
