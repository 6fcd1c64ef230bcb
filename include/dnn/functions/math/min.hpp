#pragma once

#include "dnn/functions/math/max.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// The smallest element over `axis`, otherwise as `max`.
inline Variable min(const Variable& x, const Axes& axis = {}, bool keepdims = false) {
  return call(make_ref<nodes::Extreme<kernels::Min>>(axis, keepdims), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
