#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Identity final : FunctionNode {
  std::string_view name() const override { return "Identity"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override { return {x.begin(), x.end()}; }
  Variables backward(const Variables& gy) override { return gy; }
};

}  // namespace nodes

/// Its arguments as new variables, through one node of the graph; any dtypes. The data is shared.
inline Variables identity(std::span<const Variable> xs) { return make_ref<nodes::Identity>()->apply(xs); }
inline Variables identity(std::initializer_list<Variable> xs) { return identity(std::span(xs.begin(), xs.size())); }
inline Variable identity(const Variable& x) { return call(make_ref<nodes::Identity>(), x); }

}  // namespace dnn::inline DNN_ABI::inline functions
