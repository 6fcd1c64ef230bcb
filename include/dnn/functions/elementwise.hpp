/// The node behind every elementwise function. An op is a struct with its formula and its derivative, each written once:
///
///     struct Tanh {
///       static constexpr std::string_view name = "Tanh";
///       static constexpr Retain retain = Retain::output;
///       template <class V> V forward(V x) const { return tanh(x); }
///       template <int I, class V> V grad(V gy, V, V y) const { return gy * (1 - y * y); }
///     };
///     inline Variable tanh(const Variable& x) { return elementwise(nodes::Tanh{}, x); }
///
/// `grad<I>(gy, inputs..., output)` is the gradient of input I. Given packs of numbers it is the fused kernel; given
/// Variables it builds the graph of the second derivative. Values that `retain` does not name must not be used.
/// Operands broadcast; the gradient of a broadcast operand is summed back to its shape.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/elementwise.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// What of its operands a derivative uses.
enum class Retain : unsigned { nothing = 0, inputs = 1, output = 2, both = 3 };

namespace nodes {

template <class Op, std::size_t Arity>
class Elementwise final : public FunctionNode {
 public:
  explicit Elementwise(const Op& op) : op_(op) {}

  std::string_view name() const override { return Op::name; }
  bool takes_16bit_floats() const override { return true; }

  void check(std::span<const Array> x) const override {
    for (std::size_t i = 0; i < Arity; ++i) {
      if (x[i].dtype() != x[0].dtype()) {
        throw DTypeError(concat("[", Op::name, "] operands are ", x[0].dtype(), " and ", x[i].dtype(), "; cast one of them"));
      }
    }
    if constexpr (!requires { Op::integers; }) {
      if (!is_float(x[0].dtype())) throw DTypeError(concat("[", Op::name, "] takes a float dtype, not ", x[0].dtype()));
    }
  }

  Arrays forward(std::span<const Array> x) override {
    if constexpr ((static_cast<unsigned>(Op::retain) & 1) != 0) {
      for (std::size_t i = 0; i < Arity; ++i) retain_inputs({static_cast<int>(i)});
    }
    if constexpr ((static_cast<unsigned>(Op::retain) & 2) != 0) retain_outputs({0});
    Shape shape = x[0].shape();
    for (std::size_t i = 1; i < Arity; ++i) shape = broadcast_shapes(shape, x[i].shape(), Op::name);
    Array y(shape, x[0].dtype(), x[0].device());
    std::array<kernels::Operand, Arity> operands;
    for (std::size_t i = 0; i < Arity; ++i) operands[i] = x[i].operand();
    kernels::elementwise<Arity>(Forward{op_}, compute(x[0].dtype()), y.bytes(), y.dtype(), shape, operands);
    return {y};
  }

  Variables backward(const Variables& gy) override {
    return gradients(gy[0], std::make_index_sequence<Arity>{});
  }

 private:
  struct Forward {
    const Op& op;
    template <class... V>
    auto operator()(V... x) const {
      return op.forward(x...);
    }
  };
  template <int I>
  struct Gradient {
    const Op& op;
    template <class V, class... Rest>
    V operator()(V gy, Rest... rest) const {
      return op.template grad<I>(gy, rest...);
    }
  };

  static DType compute(DType dtype) noexcept {
    if (is_float(dtype)) return compute_dtype(dtype);
    return dtype == DType::int64 ? DType::int64 : DType::int32;
  }

  template <std::size_t... I>
  Variables gradients(const Variable& gy, std::index_sequence<I...>) {
    return {gradient<I>(gy)...};
  }

  template <std::size_t I>
  Variable gradient(const Variable& gy) {
    if (!wanted(I)) return {};
    const Shape& shape = inputs()[I]->shape;
    if (config().enable_backprop) return sum_to(on_graph<I>(gy, std::make_index_sequence<Arity>{}), shape);
    Array gx(gy.shape(), gy.dtype(), gy.device());
    // A value that was not retained is not used; the gradient stands in for it.
    std::array<kernels::Operand, Arity + 2> operands;
    operands.fill(gy.array().operand());
    if constexpr ((static_cast<unsigned>(Op::retain) & 1) != 0) {
      for (std::size_t i = 0; i < Arity; ++i) operands[i + 1] = retained_input_array(static_cast<int>(i)).operand();
    }
    if constexpr ((static_cast<unsigned>(Op::retain) & 2) != 0) operands[Arity + 1] = retained_output_array(0).operand();
    kernels::elementwise<Arity + 2>(Gradient<static_cast<int>(I)>{op_}, compute(gy.dtype()), gx.bytes(), gx.dtype(),
                                    gx.shape(), operands);
    return sum_to(gx, shape);
  }

  template <std::size_t I, std::size_t... J>
  Variable on_graph(const Variable& gy, std::index_sequence<J...>) {
    return op_.template grad<static_cast<int>(I)>(gy, retained_input(static_cast<int>(J))..., retained_output(0));
  }

  Op op_;
};

}  // namespace nodes

/// Applies an elementwise op.
template <class Op, class... Inputs>
Variable elementwise(const Op& op, const Inputs&... inputs) {
  return call(make_ref<nodes::Elementwise<Op, sizeof...(Inputs)>>(op), inputs...);
}

}  // namespace dnn::inline DNN_ABI::inline functions
