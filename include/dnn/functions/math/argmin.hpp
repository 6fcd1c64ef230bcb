#pragma once

#include <optional>

#include "dnn/functions/math/argmax.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// The int32 index of the smallest element along `axis`, otherwise as `argmax`.
inline Array argmin(const Variable& x, std::optional<int> axis = {}) {
  return nodes::arg_extreme<nodes::Less>("argmin", x.array(), axis);
}

}  // namespace dnn::inline DNN_ABI::inline functions
