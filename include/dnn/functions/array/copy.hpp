#pragma once

#include <string_view>

#include "dnn/autograd/apply.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Copy final : FunctionNode {
  explicit Copy(Device to) : device(to) {}
  std::string_view name() const override { return "Copy"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    from = x[0].device();
    return {x[0].device() == device ? x[0].copy() : x[0].to(device)};
  }
  Variables backward(const Variables& gy) override { return {call(make_ref<Copy>(from), gy[0])}; }

  Device device, from{};
};

}  // namespace nodes

/// The elements copied to `device`; the gradient goes back to where x is. Any dtype. Throws DeviceError.
inline Variable copy(const Variable& x, Device device = current_device()) {
  return call(make_ref<nodes::Copy>(device), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
