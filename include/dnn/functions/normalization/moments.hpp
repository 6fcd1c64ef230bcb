/// What the normalisations share: per-channel sums, and the fused steps of their forward and backward passes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

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

/// Two numbers for every channel, float64 (channels, 1).
struct ChannelSums {
  Array sum, product;
};

/// Sums of a, and of (a - shift_a)(b - shift_b), over every channel; undefined shifts are 0. Arrays of one compute
/// dtype.
inline ChannelSums channel_sums(const ChannelView& view, const Array& a, const Array& b, const Array& shift_a,
                                const Array& shift_b) {
  Array sums({2, view.channels, 1}, float64, a.device());
  visit_float(a.dtype(), "normalization", [&]<class T>(std::type_identity<T>) {
    kernels::channel_sums(view.outer, view.channels, view.inner, a.data<T>(), b.data<T>(),
                          shift_a.defined() ? shift_a.data<T>() : nullptr,
                          shift_b.defined() ? shift_b.data<T>() : nullptr, sums.data<double>());
  });
  return {std::as_const(sums)[0], std::as_const(sums)[1]};
}

/// An array of the elements of `shape` that f makes of the operands, which broadcast.
template <class F, std::size_t N>
Array fused(const F& f, const Shape& shape, const Array (&operands)[N]) {
  Array out(shape, operands[0].dtype(), operands[0].device());
  std::array<kernels::Operand, N> in;
  for (std::size_t i = 0; i < N; ++i) in[i] = operands[i].operand();
  kernels::elementwise(f, out.bytes(), out.dtype(), shape, in);
  return out;
}
/// f of numbers of every channel, in double; the first operand has them all.
template <class F, std::size_t N>
Array per_channel(const F& f, DType dtype, const Array (&operands)[N]) {
  Array out(operands[0].shape(), dtype, operands[0].device());
  std::array<kernels::Operand, N> in;
  for (std::size_t i = 0; i < N; ++i) in[i] = operands[i].operand();
  kernels::elementwise_loop<double, F>(std::make_index_sequence<N>{})
      .run(&f, float64, out.bytes(), dtype, out.shape(), in);
  return out;
}

struct Times {
  double factor;
  template <class V>
  constexpr V operator()(V x) const {
    return x * factor;
  }
};
struct InverseStandardDeviation {
  double eps;
  template <class V>
  constexpr V operator()(V variance) const {
    return 1 / sqrt(variance + eps);
  }
};
struct ChannelProduct {
  template <class V>
  constexpr V operator()(V a, V b) const {
    return a * b;
  }
};
/// The mean of gy (x - mean) / variance from its sum.
struct Slope {
  double inverse_count;
  template <class V>
  constexpr V operator()(V product, V inv_std) const {
    return product * inv_std * inv_std * inverse_count;
  }
};

/// Mean, in x's dtype, and biased variance, in float64, of every channel.
struct Moments {
  Array mean, variance;
};
inline Moments moments(const ChannelView& view, const Array& x) {
  const Times average{1 / view.count()};
  const Array mean = per_channel(average, x.dtype(), {channel_sums(view, x, x, {}, {}).sum});
  // Around the mean, in a second pass: nothing cancels when the mean is large.
  return {mean, per_channel(average, float64, {channel_sums(view, x, x, mean, mean).product})};
}

struct NormalizeForward {
  template <class V>
  constexpr V operator()(V x, V mean, V scale, V beta) const {
    return (x - mean) * scale + beta;
  }
};
/// The gradient of (x - mean) * scale where mean and scale depend on x: `offset` and `slope` are the means of gy and of
/// gy (x - mean) / variance.
struct NormalizeBackward {
  template <class V>
  constexpr V operator()(V gy, V x, V mean, V scale, V offset, V slope) const {
    return scale * (gy - offset - (x - mean) * slope);
  }
};

}  // namespace dnn::inline DNN_ABI::inline functions::nodes
