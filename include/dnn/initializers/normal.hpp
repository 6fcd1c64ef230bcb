/// Normally distributed initializers, none of them truncated: Normal, LeCunNormal, GlorotNormal, HeNormal.
///
///     links::Linear layer(100, {.initialW = initializers::HeNormal{}});
///     links::Linear layer(100, {.initialW = initializers::Normal{.scale = 0.01}});
///
/// The numbers come from `default_generator()`. All but Normal throw ShapeError for arrays below two dimensions.
#pragma once

#include <cmath>

#include "dnn/array/factories.hpp"
#include "dnn/initializers/fan.hpp"

namespace dnn::inline DNN_ABI::initializers {

/// Standard deviation `scale`.
struct Normal {
  double scale = 0.05;

  void operator()(Array& array) const { array.assign(random::normal(array.shape(), 0, scale, array.dtype())); }
};

/// Standard deviation scale * sqrt(1 / fan_in): the default of every weight.
struct LeCunNormal {
  double scale = 1;

  void operator()(Array& array) const { Normal{scale * std::sqrt(1 / fans(array.shape(), "LeCunNormal").in)}(array); }
};

/// Standard deviation scale * sqrt(2 / (fan_in + fan_out)). Glorot and Bengio, 2010.
struct GlorotNormal {
  double scale = 1;

  void operator()(Array& array) const {
    const auto fan = fans(array.shape(), "GlorotNormal");
    Normal{scale * std::sqrt(2 / (fan.in + fan.out))}(array);
  }
};

/// Standard deviation scale * sqrt(2 / fan). He, Zhang, Ren, Sun, 2015.
struct HeNormal {
  double scale = 1;
  FanOption fan_option = FanOption::fan_in;

  void operator()(Array& array) const {
    const auto fan = fans(array.shape(), "HeNormal");
    Normal{scale * std::sqrt(2 / (fan_option == FanOption::fan_in ? fan.in : fan.out))}(array);
  }
};

}  // namespace dnn::inline DNN_ABI::initializers
