/// Choosing between two arrays by a condition.
///
///     y = condition ? a : b        elementwise; the three shapes broadcast together
///
/// `condition` is a bool Array (`x > 0`) and has no gradient; a and b have one dtype, any but mixed.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/elementwise.hpp"

namespace dnn::inline DNN_ABI::inline functions {

Variable where(const Array& condition, const Variable& a, const Variable& b);
Variable where(const Array& condition, const Variable& a, double b);
Variable where(const Array& condition, double a, const Variable& b);

namespace nodes {

struct Choose {
  template <class V>
  constexpr V operator()(V a, V b, V condition) const {
    return where(condition != V(0), a, b);
  }
};

class Where final : public FunctionNode {
 public:
  explicit Where(const Array& condition) : condition_(condition) {}

  std::string_view name() const override { return "Where"; }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> x) const override {
    if (condition_.dtype() != boolean) throw DTypeError("[where] the condition is ", condition_, ", not bool");
    DNN_EXPECT("where", x[0].dtype() == x[1].dtype());
    DNN_EXPECT("where", condition_.device() == x[0].device());
  }
  Arrays forward(std::span<const Array> x) override {
    const Shape shape =
        broadcast_shapes(broadcast_shapes(x[0].shape(), x[1].shape(), "where"), condition_.shape(), "where");
    Array y(shape, x[0].dtype(), x[0].device());
    constexpr Choose choose;
    const std::array operands{x[0].operand(), x[1].operand(), condition_.operand()};
    kernels::elementwise_kernel<Choose, 3, true>().run(&choose, y.bytes(), y.dtype(), shape, operands);
    return {y};
  }
  Variables backward(const Variables& gy) override {
    Variables gx(2);
    if (wanted(0)) gx[0] = sum_to(where(condition_, gy[0], 0), inputs()[0]->shape);
    if (wanted(1)) gx[1] = sum_to(where(condition_, 0, gy[0]), inputs()[1]->shape);
    return gx;
  }

 private:
  Array condition_;
};

}  // namespace nodes

/// a where the condition holds, b elsewhere. Throws DTypeError unless the condition is bool, ArgumentError unless a and
/// b have one dtype, ShapeError when the shapes do not broadcast.
inline Variable where(const Array& condition, const Variable& a, const Variable& b) {
  return call(make_ref<nodes::Where>(condition), a, b);
}
/// The number takes the dtype of the other operand.
inline Variable where(const Array& condition, const Variable& a, double b) {
  const UsingDevice here(condition.device());
  return where(condition, a, full({}, b, a.dtype()));
}
inline Variable where(const Array& condition, double a, const Variable& b) {
  const UsingDevice here(condition.device());
  return where(condition, full({}, a, b.dtype()), b);
}

}  // namespace dnn::inline DNN_ABI::inline functions
