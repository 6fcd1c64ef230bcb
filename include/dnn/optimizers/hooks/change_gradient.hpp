/// What the optimizer hooks of this folder are made of. A hook is any function of (UpdateRule&, Parameter&) or
/// (Optimizer&).
#pragma once

#include "dnn/kernels/update.hpp"
#include "dnn/optimizers/optimizer.hpp"

namespace dnn::inline DNN_ABI::optimizer_hooks::detail {

inline kernels::Elements elements(const Array& a) { return {a.bytes(), a.dtype(), a.size()}; }

/// formula(a&, b) over all elements of two arrays of one shape and dtype.
template <class Formula>
void change_array(Array a, const Array& b, const Formula& formula) {
  const UsingDevice here(a.device());
  kernels::UpdateBatch batch;
  kernels::update<0>(formula, a.dtype(), a.bytes(), b.bytes(), b.dtype(), {}, a.size(), batch);
  batch.flush();
}

/// formula(g&, p) over all elements of a parameter that has a gradient.
template <class Formula>
void change_gradient(Parameter& parameter, const Formula& formula) {
  if (!parameter.is_initialized() || !parameter.grad_variable().defined()) return;
  change_array(mutable_gradient(parameter), parameter.array(), formula);
}

}  // namespace dnn::inline DNN_ABI::optimizer_hooks::detail
