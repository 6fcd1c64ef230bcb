/// The node behind every elementwise function. An op is a struct with its formula and its derivative, each written
/// once:
///
///     struct Tanh {
///       static constexpr std::string_view name = "Tanh";
///       static constexpr Retain retain = Retain::output;
///       template <class V> constexpr V forward(V x) const { return tanh(x); }
///       template <int I, class V> constexpr V grad(V gy, V, V y) const { return gy * (1 - y * y); }
///     };
///     inline Variable tanh(const Variable& x) { return elementwise(nodes::Tanh{}, x); }
///
/// `grad<I>(gy, inputs..., output)` is the gradient of input I. Given packs of numbers it is the fused kernel of the
/// CPU, given single numbers that of the GPU (for which formulas are constexpr, the op's data plain numbers); given
/// Variables it builds the graph of the second derivative. Values that `retain` does not name must not be used.
/// Operands broadcast; the gradient of a broadcast operand is summed back to its shape. Operands have one dtype, a
/// float one unless the op declares `static constexpr bool integers = true`.
///
/// `template <class = void>` before such a function leaves the kernels of its op out of programs that do not call it:
/// nvcc compiles all kernels that an ordinary function names, called or not. Activations of x alone, losses of x and t
/// alone are ordinary functions all the same: a template cannot be passed by name, as in `Sequential{l1, relu, l2}`.
///
/// The same with a struct of one's own is what CuPy calls an ElementwiseKernel: one launch on the GPU, where members
/// are `constexpr` or DNN_HD. Only `forward` is needed: without `grad` there is no backward, `retain` is then of no
/// use, and `name` is what messages say.
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

/// Everything about an elementwise function that does not depend on its formula: compiled once, not once per op.
class ElementwiseNode : public FunctionNode {
 public:
  std::string_view name() const final { return traits_.name; }
  bool takes_16bit_floats() const final { return true; }

  void check(std::span<const Array> x) const final {
    for (const auto& a : x) {
      if (a.dtype() != x[0].dtype()) {
        throw DTypeError("[", name(), "] operands are ", x[0].dtype(), " and ", a.dtype(), "; cast one of them");
      }
    }
    if (!traits_.integers && !is_float(x[0].dtype())) {
      throw DTypeError("[", name(), "] takes a float dtype, not ", x[0].dtype());
    }
  }

  Arrays forward(std::span<const Array> x) final {
    if (retains(Retain::inputs)) {
      for (std::size_t i = 0; i < x.size(); ++i) retain_inputs({static_cast<int>(i)});
    }
    if (retains(Retain::output)) retain_outputs({0});
    Shape shape = x[0].shape();
    std::array<kernels::Operand, kernels::max_operands> operands;
    operands[0] = x[0].operand();
    for (std::size_t i = 1; i < x.size(); ++i) {
      shape = broadcast_shapes(shape, x[i].shape(), name());
      operands[i] = x[i].operand();
    }
    Array y(shape, x[0].dtype(), x[0].device());
    traits_.forward.run(op_, y.bytes(), y.dtype(), shape, {operands.data(), x.size()});
    return Arrays::of(std::move(y));
  }

  Variables backward(const Variables& gy) final {
    if (!traits_.gradients) throw GradientError("[", name(), "] has no gradient: its op has no grad<I>");
    Variables gx;
    for (std::size_t i = 0; i < inputs().size(); ++i) gx.push_back(wanted(i) ? gradient(i, gy[0]) : Variable{});
    return gx;
  }

 protected:
  struct Traits {
    std::string_view name;
    Retain retain;
    bool integers;
    kernels::ElementwiseKernel forward;
    const kernels::ElementwiseKernel* gradients;  // one per input, of (gy, inputs..., output); null: not differentiable
  };

  ElementwiseNode(const Traits& traits, const void* op) noexcept : traits_(traits), op_(op) {}

  /// The gradient of input i as a graph.
  virtual Variable gradient_graph(std::size_t i, const Variable& gy) = 0;

 private:
  bool retains(Retain what) const noexcept {
    return (static_cast<unsigned>(traits_.retain) & static_cast<unsigned>(what)) != 0;
  }

  DNN_NO_DEVIRTUALIZE Variable gradient(std::size_t i, const Variable& gy) {
    const Shape& shape = inputs()[i]->shape;
    if (config().enable_backprop) return sum_to(gradient_graph(i, gy), shape);
    Array gx(gy.shape(), gy.dtype(), gy.device());
    // A value that was not retained is not used; the gradient stands in for it.
    const std::size_t arity = inputs().size();
    std::array<kernels::Operand, kernels::max_operands> operands;
    operands.fill(gy.array().operand());
    if (retains(Retain::inputs)) {
      for (std::size_t k = 0; k < arity; ++k) operands[k + 1] = retained_input_array(static_cast<int>(k)).operand();
    }
    if (retains(Retain::output)) operands[arity + 1] = retained_output_array(0).operand();
    traits_.gradients[i].run(op_, gx.bytes(), gx.dtype(), gx.shape(), {operands.data(), arity + 2});
    Variable result(make_ref<dnn::detail::VariableBody>(std::move(gx), false));
    return result.shape() == shape ? std::move(result) : sum_to(result, shape);
  }

  const Traits& traits_;
  const void* op_;
};

/// What the kernels call. (They are no members of the class below: nvcc wants them to be public, and short names.)
template <class Op>
struct ElementwiseForward {
  Op op;
  template <class... V>
  constexpr auto operator()(V... x) const {
    return op.forward(x...);
  }
};
template <class Op, int I>
struct ElementwiseGradient {
  Op op;
  template <class V, class... Rest>
  constexpr V operator()(V gy, Rest... rest) const {
    return op.template grad<I>(gy, rest...);
  }
};

/// Whether an op has a derivative. (Asked in a member function, nvcc takes it for false where g++ takes it for true.)
template <class Op, std::size_t... I>
constexpr bool has_gradient(std::index_sequence<I...>) {
  return requires(const Op& op, kernels::Pack<float> v) { op.template grad<0>(v, (void(I), v)..., v); };
}

template <class Op, std::size_t Arity>
class Elementwise final : public ElementwiseNode {
 public:
  explicit Elementwise(const Op& op) : ElementwiseNode(traits, &op_), op_(op) {}

 private:
  using Forward = ElementwiseForward<Op>;
  template <int I>
  using Gradient = ElementwiseGradient<Op, I>;
  static_assert(sizeof(Forward) == sizeof(Op) && sizeof(Gradient<0>) == sizeof(Op), "the kernels read the op itself");

  static constexpr bool integers = requires { Op::integers; };

  static constexpr bool differentiable = has_gradient<Op>(std::make_index_sequence<Arity>{});

  template <std::size_t... I>
  static constexpr std::array<kernels::ElementwiseKernel, Arity> gradient_kernels(std::index_sequence<I...>) {
    if constexpr (differentiable)
      return {kernels::elementwise_kernel<Gradient<static_cast<int>(I)>, Arity + 2, false>()...};
    else return {};
  }
  static constexpr auto gradients = gradient_kernels(std::make_index_sequence<Arity>{});

  static constexpr Traits make_traits() {
    Traits out{"elementwise", Retain::nothing, integers, kernels::elementwise_kernel<Forward, Arity, integers>(),
               nullptr};
    if constexpr (requires { Op::name; }) out.name = Op::name;
    if constexpr (differentiable) {
      out.retain = Op::retain;
      out.gradients = gradients.data();
    }
    return out;
  }
  static constexpr Traits traits = make_traits();

  Variable gradient_graph(std::size_t i, const Variable& gy) override {
    return graph(i, gy, std::make_index_sequence<Arity>{});
  }
  template <std::size_t... I>
  Variable graph(std::size_t i, const Variable& gy, std::index_sequence<I...> all) {
    Variable gx;
    ((i == I ? void(gx = graph_of<static_cast<int>(I)>(gy, all)) : void()), ...);
    return gx;
  }
  template <int I, std::size_t... J>
  Variable graph_of(const Variable& gy, std::index_sequence<J...>) {
    if constexpr (differentiable) {
      return op_.template grad<I>(gy, retained_input(static_cast<int>(J))..., retained_output(0));
    } else {
      return gy;  // not reached: backward throws before
    }
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
