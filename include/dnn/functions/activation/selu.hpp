#pragma once

#include "dnn/functions/activation/elu.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// scale * elu(x, alpha) with the constants of self-normalizing networks (Klambauer et al. 2017). Float dtypes.
template <class = void>
Variable selu(const Variable& x, double alpha = 1.6732632423543772848170429916717,
              double scale = 1.0507009873554804934193349852946) {
  return elu(x, alpha) * scale;
}

}  // namespace dnn::inline DNN_ABI::inline functions
