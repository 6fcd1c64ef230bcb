/// What the optimizer hooks of this folder are made of.
#pragma once

#include "dnn/kernels/update.hpp"
#include "dnn/optimizers/optimizer.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks::detail {

inline kernels::Elements elements(const Array& a) { return {a.bytes(), a.dtype(), a.size()}; }

/// formula(g&, other) over all elements of a parameter's gradient and an array of its shape and dtype, which must live
/// until the batch is flushed.
template <class Formula>
void change_gradient(Parameter& parameter, const Array& other, const Formula& formula, kernels::UpdateBatch& batch) {
  const UsingDevice here(parameter.device());
  Array g = mutable_gradient(parameter);
  kernels::update<0>(formula, g.dtype(), g.bytes(), other.bytes(), other.dtype(), {}, g.size(), batch);
}
/// formula(g&, p) over all elements of a parameter that has a gradient.
template <class Formula>
void change_gradient(Parameter& parameter, const Formula& formula, kernels::UpdateBatch& batch) {
  if (!parameter.is_initialized() || !parameter.grad_variable().defined()) return;
  change_gradient(parameter, parameter.array(), formula, batch);
}

}  // namespace dnn::inline DNN_ABI::optimizer_hooks::detail
