#pragma once

#include <string_view>

#include "dnn/autograd/apply.hpp"

namespace dnn::inline DNN_ABI::inline functions {

Variable cast(const Variable& x, DType dtype);

namespace nodes {

struct Cast final : FunctionNode {
  explicit Cast(DType to) : dtype(to) {}
  std::string_view name() const override { return "Cast"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override { return {x[0].to(dtype)}; }
  Variables backward(const Variables& gy) override { return {cast(gy[0], inputs()[0]->dtype)}; }

  DType dtype;
};

}  // namespace nodes

/// x converted to another dtype; itself when it has it. The gradient is cast back; there is none through integers.
inline Variable cast(const Variable& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return call(make_ref<nodes::Cast>(dtype), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
