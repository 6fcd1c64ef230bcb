#pragma once

#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/array/concat.hpp"
#include "dnn/functions/math/arithmetic.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// relu(x) and relu(-x) one after the other along `axis`, whose size doubles. Float dtypes.
inline Variable crelu(const Variable& x, int axis = 1) { return concat({relu(x), relu(-x)}, axis); }

}  // namespace dnn::inline DNN_ABI::inline functions
