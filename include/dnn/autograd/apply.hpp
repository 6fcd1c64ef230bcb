/// Calling a function: check, forward, and a place in the graph for the outputs.
#pragma once

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>

#include "dnn/array/array.hpp"
#include "dnn/autograd/variable.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

/// ` (inputs: x0 float32 (2, 3) '/predictor/l1/W', ...)`: what every failed check ends with.
inline std::string describe_inputs(std::span<const Variable> inputs) {
  std::string out = " (inputs:";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    out += concat(i ? ", " : " ", inputs[i].defined() ? to_text(inputs[i].array()) : "undefined");
    if (inputs[i].defined() && !inputs[i].name().empty()) out += concat(" '", inputs[i].name(), "'");
  }
  return out + ")";
}

/// Throws NonFiniteError when debug mode finds a NaN.
inline void check_finite(std::string_view function, std::string_view what, const Array& array) {
  if (!array.defined() || !is_float(array.dtype())) return;
  const Array x = array.to(float64);
  for (const double v : x.span<double>()) {
    if (v != v) throw NonFiniteError("[", function, "] NaN in its ", what, ", ", array);
  }
}

}  // namespace detail

DNN_NO_DEVIRTUALIZE inline Variables FunctionNode::apply(std::span<const Variable> inputs) {
  if (!inputs_.empty()) throw ArgumentError("[", name(), "] a function object is applied once");
  SmallVector<Array, 4> arrays;
  bool has_16bit = false;
  for (const auto& input : inputs) {
    if (!input.defined() || !input.array().defined()) {
      throw ArgumentError("[", name(), "] an input is undefined", detail::describe_inputs(inputs));
    }
    arrays.push_back(input.array());
    has_16bit = has_16bit || is_16bit_float(input.dtype());
  }
  Arrays results;
  try {
    const std::span<const Array> in(arrays.data(), arrays.size());
    if (arrays.size() > 1) expect_same_device(name(), in);
    check(in);
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
      results = forward(in);
    }
  } catch (const ArgumentError& error) {
    throw ArgumentError(error.what() + detail::describe_inputs(inputs));
  } catch (const DTypeError& error) {
    throw DTypeError(error.what() + detail::describe_inputs(inputs));
  } catch (const ShapeError& error) {
    throw ShapeError(error.what() + detail::describe_inputs(inputs));
  }
  if (config().debug) [[unlikely]] {
    for (const auto& y : results) detail::check_finite(name(), "output", y);
  }

  bool connects = false;
  if (config().enable_backprop) {
    for (const auto& input : inputs) connects = connects || input.requires_grad();
  }
  Variables outputs;
  if (!connects) {
    retained_.clear();
    for (auto& y : results) outputs.emplace_back(make_ref<detail::VariableBody>(std::move(y), false));
    return outputs;
  }
  int rank = 0;
  for (const auto& input : inputs) {
    const auto& node = input.node();
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
    body->node->creator = Ref<FunctionNode>(this);
    body->node->output_index = static_cast<int>(i);
    body->node->rank = rank + 1;
    outputs_.push_back(body->node.get());
    outputs.emplace_back(std::move(body));
  }
  return outputs;
}

namespace detail {
[[gnu::noinline]] inline Variable call(FunctionNode& function, std::initializer_list<const Variable*> inputs) {
  SmallVector<Variable, 4> list;
  for (const Variable* input : inputs) list.push_back(*input);
  return std::move(function.apply({list.data(), list.size()})[0]);
}
inline const Variable* address_of(const Variable& x) noexcept { return &x; }
}  // namespace detail

/// `call(make_ref<Node>(options), x, W)`: apply for functions with one output.
template <std::derived_from<FunctionNode> Node, class... Inputs>
Variable call(const Ref<Node>& function, const Inputs&... inputs) {
  return detail::call(*function, {detail::address_of(inputs)...});
}

}  // namespace dnn::inline DNN_ABI
