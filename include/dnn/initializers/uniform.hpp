/// Uniformly distributed initializers: Uniform, LeCunUniform, GlorotUniform, HeUniform.
///
/// The numbers come from `default_generator()`. All but Uniform throw ShapeError for arrays below two dimensions.
#pragma once

#include <cmath>

#include "dnn/array/factories.hpp"
#include "dnn/initializers/fan.hpp"

namespace dnn::inline DNN_ABI::initializers {

/// In [-scale, scale).
struct Uniform {
  double scale = 0.05;

  void operator()(Array& array) const { array.assign(random::uniform(array.shape(), -scale, scale, array.dtype())); }
};

/// Bound scale * sqrt(3 / fan_in).
struct LeCunUniform {
  double scale = 1;

  void operator()(Array& array) const { Uniform{scale * std::sqrt(3 / fans(array.shape(), "LeCunUniform").in)}(array); }
};

/// Bound scale * sqrt(6 / (fan_in + fan_out)).
struct GlorotUniform {
  double scale = 1;

  void operator()(Array& array) const {
    const auto fan = fans(array.shape(), "GlorotUniform");
    Uniform{scale * std::sqrt(6 / (fan.in + fan.out))}(array);
  }
};

/// Bound scale * sqrt(6 / fan).
struct HeUniform {
  double scale = 1;
  FanOption fan_option = FanOption::fan_in;

  void operator()(Array& array) const {
    const auto fan = fans(array.shape(), "HeUniform");
    Uniform{scale * std::sqrt(6 / (fan_option == FanOption::fan_in ? fan.in : fan.out))}(array);
  }
};

}  // namespace dnn::inline DNN_ABI::initializers
