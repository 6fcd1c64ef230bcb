/// Softmax over an axis, and the kernels that it shares with log_softmax.
///
///     y = exp(x - max x) / sum exp(x - max x)
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/exp.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/kernels/reduce.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/softmax.hpp"
#endif

namespace dnn::inline DNN_ABI::inline functions::nodes {

/// One unit of work: along a row of contiguous elements pack by pack, or down as many neighbouring columns as a pack
/// has lanes.
template <class T, bool Row>
struct SoftmaxLine {
  using Number = kernels::Pack<T>;
  static constexpr std::int64_t width = Number::width;

  std::int64_t length;  // of the axis
  std::int64_t stride;  // between the elements of a column
  std::int64_t lanes;   // columns that there are

  std::int64_t steps() const noexcept { return Row ? (length + width - 1) / width : length; }
  std::int64_t offset(std::int64_t i) const noexcept { return Row ? i * width : i * stride; }
  std::int64_t count(std::int64_t i) const noexcept { return Row ? std::min(width, length - i * width) : lanes; }

  Number load(const T* p, std::int64_t i, T fill) const noexcept {
    const auto n = count(i);
    if (n == width) return Number::load(p + offset(i));
    Number out(fill);
    std::memcpy(&out, p + offset(i), static_cast<std::size_t>(n) * sizeof(T));
    return out;
  }
  void store(T* p, std::int64_t i, Number value) const noexcept {
    const auto n = count(i);
    if (n == width) return value.store(p + offset(i));
    std::memcpy(p + offset(i), &value, static_cast<std::size_t>(n) * sizeof(T));
  }
  /// What the lanes of a row come to together; columns stay apart.
  template <class Op>
  Number across(Number value) const noexcept {
    if constexpr (Row) {
      T all = Op::template identity<T>();
      for (int lane = 0; lane < Number::width; ++lane) all = Op{}(all, static_cast<T>(value.v[lane]));
      return Number(all);
    } else {
      return value;
    }
  }

  void forward(T* y, const T* x, bool log_of_it) const noexcept {
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    const auto n = steps();
    // Four at a time: each waits for the one before.
    Number largest(lowest), others[3] = {largest, largest, largest}, total(0);
    std::int64_t done = 0;
    for (; done + 4 <= n; done += 4) {
      largest = maximum(largest, load(x, done, lowest));
      for (int k = 0; k < 3; ++k) others[k] = maximum(others[k], load(x, done + k + 1, lowest));
    }
    for (; done < n; ++done) largest = maximum(largest, load(x, done, lowest));
    for (const Number& other : others) largest = maximum(largest, other);
    largest = across<kernels::Max>(largest);
    for (std::int64_t i = 0; i < n; ++i) {
      const Number e = exp(load(x, i, lowest) - largest);
      total = total + e;
      if (!log_of_it) store(y, i, e);
    }
    total = across<kernels::Sum>(total);
    if (log_of_it) {
      total = log(total);
      for (std::int64_t i = 0; i < n; ++i) store(y, i, load(x, i, lowest) - largest - total);
    } else {
      const Number factor = Number(1) / total;
      for (std::int64_t i = 0; i < n; ++i) store(y, i, load(y, i, 0) * factor);
    }
  }
  void backward(T* gx, const T* gy, const T* y, bool log_of_it) const noexcept {
    const auto n = steps();
    Number total(0);
    for (std::int64_t i = 0; i < n; ++i) {
      const Number g = load(gy, i, 0);
      total = total + (log_of_it ? g : g * load(y, i, 0));
    }
    total = across<kernels::Sum>(total);
    for (std::int64_t i = 0; i < n; ++i) {
      const Number g = load(gy, i, 0), p = load(y, i, 0);
      store(gx, i, log_of_it ? g - exp(p) * total : p * (g - total));
    }
  }
};

/// An axis of a shape: how many elements are before, along and behind it.
struct SoftmaxAxis {
  SoftmaxAxis(const Shape& shape, int axis)
      : outer(shape.slice(0, axis).size()), length(shape[axis]), inner(shape.slice(axis + 1, shape.ndim()).size()) {}
  std::int64_t outer, length, inner;
};

/// Calls `work(line, offset)` for every line along the axis.
template <class T, class Work>
void for_softmax_lines(const SoftmaxAxis& axis, const Work& work) {
  const auto outer = axis.outer, length = axis.length, inner = axis.inner;  // bindings could not be captured
  if (outer * length * inner == 0) return;
  const auto grain = [](std::int64_t cost) { return std::max<std::int64_t>(1, 16384 / cost); };
  if (inner == 1) {
    const SoftmaxLine<T, true> line{length, 1, 0};
    kernels::parallel_for(outer, grain(length), [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) work(line, i * length);
    });
    return;
  }
  constexpr std::int64_t width = kernels::Pack<T>::width;
  const auto strips = (inner + width - 1) / width;
  kernels::parallel_for(outer * strips, grain(length * width), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto column = i % strips * width;
      work(SoftmaxLine<T, false>{length, inner, std::min(width, inner - column)}, i / strips * length * inner + column);
    }
  });
}

/// Softmax, or its logarithm.
template <bool Log>
struct SoftmaxNode final : FunctionNode {
  explicit SoftmaxNode(int over) : axis(over) {}
  std::string_view name() const override { return Log ? "LogSoftmax" : "Softmax"; }
  void check(std::span<const Array> x) const override {
    if (!is_float(x[0].dtype())) throw DTypeError("[", name(), "] takes a float dtype, not ", x[0].dtype());
  }
  Arrays forward(std::span<const Array> x) override {
    retain_outputs({0});
    Array y(x[0].shape(), x[0].dtype(), x[0].device());
    visit_float(y.dtype(), name(), [&]<class T>(std::type_identity<T>) {
      const T* from = x[0].data<T>();
      T* to = y.data<T>();
      const SoftmaxAxis along(y.shape(), axis);
#if DNN_CUDA
      if (on_gpu()) return kernels::gpu::softmax(to, from, along.outer, along.length, along.inner, Log);
#endif
      for_softmax_lines<T>(along, [&](const auto& line, std::int64_t at) { line.forward(to + at, from + at, Log); });
    });
    return {y};
  }
  Variables backward(const Variables& gy) override {
    if (config().enable_backprop) {
      const Variable y = retained_output(0);
      if constexpr (Log) return {gy[0] - exp(y) * sum(gy[0], axis, true)};
      else return {y * (gy[0] - sum(y * gy[0], axis, true))};
    }
    const DType dtype = gy[0].dtype(), compute = compute_dtype(dtype);
    const Array y = retained_output_array(0).to(compute), g = gy[0].array().to(compute);
    Array gx(y.shape(), compute, y.device());
    visit_float(compute, name(), [&]<class T>(std::type_identity<T>) {
      const T *py = y.data<T>(), *pg = g.data<T>();
      T* to = gx.data<T>();
      const SoftmaxAxis along(y.shape(), axis);
#if DNN_CUDA
      if (on_gpu()) return kernels::gpu::softmax_gradient(to, pg, py, along.outer, along.length, along.inner, Log);
#endif
      for_softmax_lines<T>(along,
                           [&](const auto& line, std::int64_t at) { line.backward(to + at, pg + at, py + at, Log); });
    });
    return {Variable(gx.to(dtype))};
  }

  int axis;
};

}  // namespace dnn::inline DNN_ABI::inline functions::nodes

namespace dnn::inline DNN_ABI::inline functions {

/// exp(x) / sum(exp(x)) over `axis`, by default axis 1; shifted by the maximum: nothing overflows. Float dtypes.
/// Throws IndexError for an axis out of range.
inline Variable softmax(const Variable& x, int axis = 1) {
  return call(make_ref<nodes::SoftmaxNode<false>>(normalize_axis(axis, x.ndim(), "softmax")), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
