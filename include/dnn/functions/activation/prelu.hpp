#pragma once

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/functions/math/scale.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x where x >= 0, W x elsewhere; W is learned, of shape x.shape()[1 : 1 + W.ndim()], which may be (). One float dtype.
inline Variable prelu(const Variable& x, const Variable& W) { return where(x >= 0, x, scale(x, W)); }

}  // namespace dnn::inline DNN_ABI::inline functions
