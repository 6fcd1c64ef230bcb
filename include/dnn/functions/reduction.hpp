/// Reductions of one's own: what CuPy calls a ReductionKernel. A struct says what is added up, and how:
///
///     struct SquaredDistance {
///       static constexpr std::string_view name = "squared_distance";
///       static constexpr double identity = 0;
///       template <class V> constexpr V map(V a, V b) const { return (a - b) * (a - b); }
///       template <class V> constexpr V reduce(V a, V b) const { return a + b; }
///       template <int I, class V> constexpr V grad(V gy, V a, V b, V) const {
///         return I == 0 ? 2 * gy * (a - b) : 2 * gy * (b - a);
///       }
///     };
///     Variable squared_distance(const Variable& a, const Variable& b) {
///       return reduction(SquaredDistance{}, ReductionOptions{.axis = 1}, a, b);
///     }
///
/// One launch on the GPU, where members are `constexpr` or DNN_HD; nothing is stored between map and reduce. `reduce`
/// is commutative and associative, but for rounding. Optional: `post(value)`, applied to the result; `name`; and
/// `grad<I>(gy, inputs..., y)`, the gradient of input I, with gy and y in the shape that keepdims gives, which is also
/// called with Variables, for the second derivative.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/array/reduce.hpp"
#include "dnn/functions/array/broadcast_to.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/kernels/map_reduce.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct ReductionOptions {
  Axes axis = {};
  bool keepdims = false;
};

namespace nodes {

/// grad<I> as an elementwise op of (gy, inputs..., y).
template <class Op, int I>
struct ReductionGradient {
  static constexpr std::string_view name = "ReductionGradient";

  Op op;

  template <class V, class... Rest>
  constexpr V forward(V gy, Rest... rest) const {
    return op.template grad<I>(gy, rest...);
  }
};

template <class Op, std::size_t Arity>
class Reduction final : public FunctionNode {
 public:
  Reduction(const Op& op, const ReductionOptions& options) : op_(op), options_(options) {}

  std::string_view name() const override {
    if constexpr (requires { Op::name; }) return Op::name;
    else return "reduction";
  }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> x) const override {
    for (const auto& a : x) {
      if (!is_float(a.dtype())) throw DTypeError("[", name(), "] takes a float dtype, not ", a.dtype());
      if (a.dtype() != x[0].dtype()) {
        throw DTypeError("[", name(), "] operands are ", x[0].dtype(), " and ", a.dtype(), "; cast one of them");
      }
    }
  }
  Arrays forward(std::span<const Array> x) override {
    for (std::size_t i = 0; i < Arity; ++i) retain_inputs({static_cast<int>(i)});
    retain_outputs({0});
    shape_ = x[0].shape();
    std::array<kernels::Operand, Arity> operands;
    for (std::size_t i = 0; i < Arity; ++i) {
      shape_ = broadcast_shapes(shape_, x[i].shape(), name());
      operands[i] = x[i].operand();
    }
    const unsigned mask = options_.axis.mask(shape_.ndim(), name());
    kept_ = reduced_shape(shape_, mask, true);
    Array y(reduced_shape(shape_, mask, options_.keepdims), x[0].dtype(), x[0].device());
    const auto run = [&]<class T, std::size_t... I>(std::type_identity<T>, std::index_sequence<I...>) {
      kernels::map_reduce<T, Op, I...>(op_, y.bytes(), y.dtype(), shape_, mask, operands);
    };
    constexpr std::make_index_sequence<Arity> all;
    if (y.dtype() == float64) run(std::type_identity<double>{}, all);
    else run(std::type_identity<float>{}, all);
    return {y};
  }
  Variables backward(const Variables& gy) override {
    return gradients(reshape(gy[0], kept_), reshape(retained_output(0), kept_), std::make_index_sequence<Arity>{});
  }

 private:
  template <std::size_t... I>
  Variables gradients(const Variable& gy, const Variable& y, std::index_sequence<I...> all) {
    if constexpr (has_gradient<Op>(all)) {
      Variables gx(Arity);
      ((wanted(I) ? void(gx[I] = gradient<static_cast<int>(I)>(gy, y, all)) : void()), ...);
      return gx;
    } else {
      throw GradientError("[", name(), "] has no gradient: its op has no grad<I>");
    }
  }
  template <int I, std::size_t... J>
  Variable gradient(const Variable& gy, const Variable& y, std::index_sequence<J...>) {
    const Shape& shape = inputs()[I]->shape;
    if (config().enable_backprop) {
      // What depends on gy alone has not been broadcast yet.
      return sum_to(broadcast_to(op_.template grad<I>(gy, retained_input(static_cast<int>(J))..., y), shape_), shape);
    }
    return sum_to(elementwise(ReductionGradient<Op, I>{op_}, gy, retained_input(static_cast<int>(J))..., y), shape);
  }

  Op op_;
  ReductionOptions options_;
  Shape shape_, kept_;  ///< of the operands together, and of y with keepdims
};

}  // namespace nodes

/// post(reduce(map(inputs...))) over axes, see above. Inputs broadcast and have one float dtype; 16-bit types are
/// computed in float32. A reduction of nothing is post(identity). Throws DTypeError, ArgumentError, IndexError.
template <class Op, class... Inputs>
Variable reduction(const Op& op, const ReductionOptions& options, const Inputs&... inputs) {
  return call(make_ref<nodes::Reduction<Op, sizeof...(Inputs)>>(op, options), inputs...);
}

}  // namespace dnn::inline DNN_ABI::inline functions
