/// Calling a function: check, forward, and a place in the graph for the outputs.
#pragma once

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>

#include "dnn/array/array.hpp"
#include "dnn/array/reduce.hpp"
#include "dnn/autograd/variable.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

/// ` (inputs: x0 float32 (2, 3) '/predictor/l1/W', ...)`: what every failed check ends with.
[[gnu::cold, gnu::noinline]] inline std::string describe_inputs(VariableRefs inputs) {
  std::string out = " (inputs:";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Variable& x = *inputs[i];
    out += concat(i ? ", " : " ", x.defined() ? to_text(x.array()) : "undefined");
    if (x.defined() && !x.name().empty()) out += concat(" '", x.name(), "'");
  }
  return out + ")";
}

/// Throws NonFiniteError when debug mode finds a NaN.
inline void check_finite(std::string_view function, std::string_view what, const Array& array) {
  if (!array.defined() || !is_float(array.dtype())) return;
  if (array.size() == 0) return;
  const UsingDevice here(array.device());
  const double largest = reduce_axes<kernels::Max>(array, (1u << array.ndim()) - 1).item();  // NaN if there is one
  if (largest != largest) throw NonFiniteError("[", function, "] NaN in its ", what, ", ", array);
}

}  // namespace detail

inline Variables FunctionNode::apply(std::span<const Variable> inputs) {
  SmallVector<const Variable*, 4> refs;
  for (const auto& input : inputs) refs.push_back(&input);
  return apply_to({refs.data(), refs.size()}, Ref<FunctionNode>(this));
}

DNN_NO_DEVIRTUALIZE inline Variables FunctionNode::apply_to(VariableRefs inputs, Ref<FunctionNode> self) {
  if (!inputs_.empty()) throw ArgumentError("[", name(), "] a function object is applied once");
  bool has_16bit = false;
  for (const Variable* input : inputs) {
    if (!input->defined() || !input->array().defined()) {
      throw ArgumentError("[", name(), "] an input is undefined", detail::describe_inputs(inputs));
    }
    has_16bit = has_16bit || is_16bit_float(input->dtype());
  }
  // A single input is read where it is, several are put side by side.
  SmallVector<Array, 4> side_by_side;
  std::span<const Array> arrays;
  if (inputs.size() == 1) {
    arrays = {&inputs[0]->array(), 1};
  } else {
    for (const Variable* input : inputs) side_by_side.push_back(input->array());
    arrays = {side_by_side.data(), side_by_side.size()};
  }
  Arrays results;
  const UsingDevice here(arrays.size() > 0 ? arrays[0].device() : current_device());
  try {
    if (arrays.size() > 1) expect_same_device(name(), arrays);
    check(arrays);
    if (has_16bit && !takes_16bit_floats()) {
      SmallVector<Array, 4> wide;
      DType narrow = float32;
      for (const auto& a : arrays) {
        wide.push_back(is_16bit_float(a.dtype()) ? a.to(float32) : a);
        if (is_16bit_float(a.dtype())) narrow = a.dtype();
      }
      results = forward({wide.data(), wide.size()});
      for (auto& y : results) {
        if (y.dtype() == float32) y = y.to(narrow);
      }
    } else {
      results = forward(arrays);
    }
    if (config().debug) [[unlikely]] {
      for (const auto& y : results) detail::check_finite(name(), "output", y);
    }
  } catch (const ArgumentError& error) {
    throw ArgumentError(error.what() + detail::describe_inputs(inputs));
  } catch (const DTypeError& error) {
    throw DTypeError(error.what() + detail::describe_inputs(inputs));
  } catch (const ShapeError& error) {
    throw ShapeError(error.what() + detail::describe_inputs(inputs));
  } catch (const DeviceError& error) {
    throw DeviceError(error.what() + detail::describe_inputs(inputs));
  } catch (const NonFiniteError& error) {
    throw NonFiniteError(error.what() + detail::describe_inputs(inputs));
  }

  bool connects = false;
  if (config().enable_backprop) {
    for (const Variable* input : inputs) connects = connects || input->requires_grad();
  }
  Variables outputs;
  if (!connects) {
    retained_.clear();
    for (auto& y : results) outputs.emplace_back(make_ref<detail::VariableBody>(std::move(y), false));
    return outputs;
  }
  int rank = 0;
  for (const Variable* input : inputs) {
    const auto& node = input->node();
    rank = std::max(rank, node->rank);
    inputs_.push_back(node);
  }
  rank_ = rank;
  for (auto& r : retained_) {
    r.array = r.is_output ? results[static_cast<std::size_t>(r.index)] : arrays[static_cast<std::size_t>(r.index)];
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool wants = is_float(results[i].dtype());
    auto body = make_ref<detail::VariableBody>(std::move(results[i]), wants);
    body->node = make_ref<VariableNode>(body.get());
    body->node->creator = self;
    body->node->output_index = static_cast<int>(i);
    body->node->rank = rank + 1;
    outputs_.push_back(body->node.get());
    outputs.emplace_back(std::move(body));
  }
  return outputs;
}

namespace detail {
[[gnu::noinline]] inline Variable call(Ref<FunctionNode> function, std::initializer_list<const Variable*> inputs) {
  FunctionNode& node = *function;
  return std::move(node.apply_to({inputs.begin(), inputs.size()}, std::move(function))[0]);
}
/// Where a Variable is, or the one that an Array becomes until the end of the expression.
inline const Variable* address_of(const Variable& x) noexcept { return &x; }
}  // namespace detail

/// `call(make_ref<Node>(options), x, W)`: apply for functions with one output.
template <std::derived_from<FunctionNode> Node, class... Inputs>
Variable call(Ref<Node> function, const Inputs&... inputs) {
  return detail::call(std::move(function), {detail::address_of(inputs)...});
}

}  // namespace dnn::inline DNN_ABI
