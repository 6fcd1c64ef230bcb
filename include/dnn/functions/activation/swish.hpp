#pragma once

#include "dnn/functions/activation/sigmoid.hpp"
#include "dnn/functions/math/scale.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x * sigmoid(beta * x); beta is learned, of shape x.shape()[1 : 1 + beta.ndim()], which may be (). One float dtype.
inline Variable swish(const Variable& x, const Variable& beta) { return x * sigmoid(scale(x, beta)); }

}  // namespace dnn::inline DNN_ABI::inline functions
