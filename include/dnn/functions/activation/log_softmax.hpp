#pragma once

#include "dnn/functions/activation/softmax.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x - log(sum(exp(x))) over `axis`, by default axis 1: the logarithm of softmax, without its underflow. Float dtypes.
/// Throws IndexError for an axis out of range.
inline Variable log_softmax(const Variable& x, int axis = 1) {
  return call(make_ref<nodes::SoftmaxNode<true>>(normalize_axis(axis, x.ndim(), "log_softmax")), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
