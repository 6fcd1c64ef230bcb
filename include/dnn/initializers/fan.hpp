/// Fans: how many inputs and outputs a weight connects.
#pragma once

#include <cstdint>
#include <string_view>

#include "dnn/core/error.hpp"
#include "dnn/core/shape.hpp"

namespace dnn::inline DNN_ABI::initializers {

struct Fans {
  double in;
  double out;
};

/// Of a weight (out, in, kernel...): in * kernel size and out * kernel size. Throws ShapeError below two dimensions.
inline Fans fans(const Shape& shape, std::string_view initializer) {
  if (shape.ndim() < 2) {
    throw ShapeError("[", initializer, "] a weight has at least 2 dimensions, this one has shape ", shape);
  }
  double kernel = 1;
  for (int i = 2; i < shape.ndim(); ++i) kernel *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * kernel, static_cast<double>(shape[0]) * kernel};
}

/// Which fan HeNormal and HeUniform keep the variance for: activations (in) or gradients (out).
enum class FanOption { fan_in, fan_out };

}  // namespace dnn::inline DNN_ABI::initializers
