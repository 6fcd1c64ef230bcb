/// What the normalisations share: per-channel sums, and the fused steps of their forward and backward passes.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/kernels/channel_sums.hpp"
#include "dnn/kernels/elementwise.hpp"

namespace dnn::inline DNN_ABI::inline functions::nodes {

/// Elements as (outer, channels, inner); an array with a value for every channel broadcasts under (channels, 1).
struct ChannelView {
  std::int64_t outer, channels, inner;

  Shape shape() const { return {outer, channels, inner}; }
  Shape channel_shape() const { return {channels, 1}; }
  double count() const noexcept { return static_cast<double>(outer * inner); }
};

struct ChannelSums {
  std::vector<double> sum, product;
};

/// Sums of a, and of (a - shift_a)(b - shift_b), over every channel; undefined shifts are 0. Arrays of one compute
/// dtype.
inline ChannelSums channel_sums(const ChannelView& view, const Array& a, const Array& b, const Array& shift_a,
                                const Array& shift_b) {
  const auto n = static_cast<std::size_t>(view.channels);
  ChannelSums out{std::vector<double>(n), std::vector<double>(n)};
  visit_float(a.dtype(), "normalization", [&]<class T>(std::type_identity<T>) {
    kernels::channel_sums(view.outer, view.channels, view.inner, a.data<T>(), b.data<T>(),
                          shift_a.defined() ? shift_a.data<T>() : nullptr,
                          shift_b.defined() ? shift_b.data<T>() : nullptr, out.sum.data(), out.product.data());
  });
  return out;
}

/// f(c) for every channel, as an array of shape (channels, 1).
template <class F>
Array per_channel(const ChannelView& view, DType dtype, F f) {
  Array out(view.channel_shape(), float64);
  double* p = out.data<double>();
  for (std::int64_t c = 0; c < view.channels; ++c) p[c] = f(static_cast<std::size_t>(c));
  return out.to(dtype);
}

/// Mean and biased variance of every channel.
struct Moments {
  Array mean;
  std::vector<double> variance;
};
inline Moments moments(const ChannelView& view, const Array& x) {
  const double m = view.count();
  const auto sums = channel_sums(view, x, x, {}, {});
  Moments out{per_channel(view, x.dtype(), [&](std::size_t c) { return sums.sum[c] / m; }), {}};
  // Around the mean, in a second pass: nothing cancels when the mean is large.
  out.variance = channel_sums(view, x, x, out.mean, out.mean).product;
  for (double& v : out.variance) v /= m;
  return out;
}

struct NormalizeForward {
  template <class V>
  V operator()(V x, V mean, V scale, V beta) const {
    return (x - mean) * scale + beta;
  }
};
/// The gradient of (x - mean) * scale where mean and scale depend on x: `offset` and `slope` are the means of gy and of
/// gy (x - mean) / variance.
struct NormalizeBackward {
  template <class V>
  V operator()(V gy, V x, V mean, V scale, V offset, V slope) const {
    return scale * (gy - offset - (x - mean) * slope);
  }
};
struct ChannelProduct {
  template <class V>
  V operator()(V a, V b) const {
    return a * b;
  }
};

/// An array of the elements of `shape` that f makes of the operands, which broadcast.
template <class F, std::size_t N>
Array fused(const F& f, const Shape& shape, const Array (&operands)[N]) {
  Array out(shape, operands[0].dtype(), operands[0].device());
  std::array<kernels::Operand, N> in;
  for (std::size_t i = 0; i < N; ++i) in[i] = operands[i].operand();
  kernels::elementwise(f, out.bytes(), out.dtype(), shape, in);
  return out;
}

}  // namespace dnn::inline DNN_ABI::inline functions::nodes
