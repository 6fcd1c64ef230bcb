#pragma once

#include "dnn/functions/array/reshape.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// x as one axis, the batch's too. Any dtype. Shares storage.
inline Variable flatten(const Variable& x) { return reshape(x, {x.size()}); }

}  // namespace dnn::inline DNN_ABI::inline functions
