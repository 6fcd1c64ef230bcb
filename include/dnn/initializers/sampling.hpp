/// Filters for image resampling by (de)convolution: UpsamplingDeconvFilter, DownsamplingConvFilter.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/core/error.hpp"

namespace dnn::inline DNN_ABI::initializers {

namespace detail {

/// The product of triangles over the kernel axes, from each channel to itself, or all to channel 0 if that is the only
/// one.
inline void fill_sampling_filter(Array& array, bool normalize, std::string_view name) {
  const Shape& shape = array.shape();
  if (shape.ndim() < 3) throw ShapeError("[", name, "] a shape (in, out, kernel...) is wanted, not ", shape);
  const std::int64_t channels = shape[0], kernel = shape[2];
  if (shape[1] != channels && shape[1] != 1) {
    throw ShapeError("[", name, "] the channels of shape ", shape, " must be equal, or the second 1");
  }
  std::int64_t size = 1;
  for (int i = 2; i < shape.ndim(); ++i) {
    if (shape[i] != kernel) throw ShapeError("[", name, "] the kernel of shape ", shape, " is not square");
    size *= kernel;
  }
  const std::int64_t half = (kernel + 1) / 2;
  const auto factor = static_cast<double>(half);
  const double center = factor - (kernel % 2 == 1 ? 1.0 : 0.5);
  const auto triangle = [&](std::int64_t i) { return 1 - std::abs(static_cast<double>(i) - center) / factor; };
  double sum = 0;
  for (std::int64_t i = 0; i < kernel; ++i) sum += triangle(i);

  const UsingDevice host(Device{});
  Array values = zeros(shape, float64);
  double* const p = values.data<double>();
  for (std::int64_t c = 0; c < channels; ++c) {
    double* const filter = p + (c * shape[1] + (shape[1] == 1 ? 0 : c)) * size;
    for (std::int64_t i = 0; i < size; ++i) {
      filter[i] = 1;
      for (std::int64_t rest = i, axis = 2; axis < shape.ndim(); ++axis, rest /= kernel) {
        filter[i] *= normalize ? triangle(rest % kernel) / sum : triangle(rest % kernel);
      }
    }
  }
  array.assign(values);
}

}  // namespace detail

/// Bilinear upsampling (and its likes in other dimensions) by a Deconvolution of stride (ksize + 1) / 2.
/// Throws ShapeError unless the shape is (c, c or 1, k, k, ...).
struct UpsamplingDeconvFilter {
  void operator()(Array& array) const { detail::fill_sampling_filter(array, false, "UpsamplingDeconvFilter"); }
};

/// Downsampling by a Convolution of stride (ksize + 1) / 2: the same filter with sum 1.
/// Throws ShapeError unless the shape is (c, c or 1, k, k, ...).
struct DownsamplingConvFilter {
  void operator()(Array& array) const { detail::fill_sampling_filter(array, true, "DownsamplingConvFilter"); }
};

}  // namespace dnn::inline DNN_ABI::initializers
