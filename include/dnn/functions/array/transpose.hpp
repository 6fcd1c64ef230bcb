/// Permuting axes.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"
#include "dnn/kernels/copy.hpp"

namespace dnn::inline DNN_ABI::inline functions {

Variable transpose(const Variable& x, std::span<const int> axes);

namespace nodes {

/// Axis i of the output is axis `axes[i]` of the input.
struct Transpose final : FunctionNode {
  explicit Transpose(const std::array<int, max_ndim>& order) : axes(order) {}
  std::string_view name() const override { return "Transpose"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    Shape shape = x[0].shape();
    const auto own = strides_of(x[0].shape());
    kernels::Strides strides{};
    for (int i = 0; i < x[0].ndim(); ++i) {
      const auto axis = static_cast<std::size_t>(axes[static_cast<std::size_t>(i)]);
      shape = shape.with(i, 1);
      strides[static_cast<std::size_t>(i)] = own[axis];
    }
    for (int i = 0; i < x[0].ndim(); ++i) shape = shape.with(i, x[0].shape()[axes[static_cast<std::size_t>(i)]]);
    Array y(shape, x[0].dtype(), x[0].device());
    kernels::copy_strided(y.bytes(), strides_of(shape), x[0].bytes(), strides, shape, itemsize(y.dtype()));
    return {y};
  }
  Variables backward(const Variables& gy) override {
    std::array<int, max_ndim> inverse{};
    for (int i = 0; i < gy[0].ndim(); ++i) inverse[static_cast<std::size_t>(axes[static_cast<std::size_t>(i)])] = i;
    return {transpose(gy[0], std::span<const int>(inverse.data(), static_cast<std::size_t>(gy[0].ndim())))};
  }

  std::array<int, max_ndim> axes;
};

}  // namespace nodes

/// y.shape()[i] = x.shape()[axes[i]]; negative axes count from the end. Any dtype.
/// Throws ArgumentError unless `axes` names every axis once, IndexError for an axis out of range.
inline Variable transpose(const Variable& x, std::span<const int> axes) {
  DNN_EXPECT("transpose", axes.size() == static_cast<std::size_t>(x.ndim()));
  std::array<int, max_ndim> order{};
  unsigned seen = 0;
  bool moves = false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    order[i] = normalize_axis(axes[i], x.ndim(), "transpose");
    if (seen >> order[i] & 1) throw ArgumentError("[transpose] axis ", axes[i], " is named twice");
    seen |= 1u << order[i];
    moves = moves || order[i] != static_cast<int>(i);
  }
  return moves ? call(make_ref<nodes::Transpose>(order), x) : x;
}
inline Variable transpose(const Variable& x, std::initializer_list<int> axes) {
  return transpose(x, std::span(axes.begin(), axes.size()));
}
/// All axes in reverse order.
inline Variable transpose(const Variable& x) {
  std::array<int, max_ndim> axes{};
  const int n = x.ndim();
  for (int i = 0; i < n; ++i) axes[static_cast<std::size_t>(i)] = n - 1 - i;
  return transpose(x, std::span<const int>(axes.data(), static_cast<std::size_t>(n)));
}

/// Exchanges two axes.
inline Variable swapaxes(const Variable& x, int axis1, int axis2) {
  std::array<int, max_ndim> axes{};
  for (int i = 0; i < x.ndim(); ++i) axes[static_cast<std::size_t>(i)] = i;
  std::swap(axes[static_cast<std::size_t>(normalize_axis(axis1, x.ndim(), "swapaxes"))],
            axes[static_cast<std::size_t>(normalize_axis(axis2, x.ndim(), "swapaxes"))]);
  return transpose(x, std::span<const int>(axes.data(), static_cast<std::size_t>(x.ndim())));
}

/// Moves the axes `source` to the places `destination`; the others keep their order, as numpy.moveaxis.
/// Throws ArgumentError when the counts differ or an axis is named twice.
inline Variable moveaxis(const Variable& x, std::span<const int> source, std::span<const int> destination) {
  DNN_EXPECT("moveaxis", source.size() == destination.size());
  const int n = x.ndim();
  std::array<int, max_ndim> axes{};
  axes.fill(-1);
  unsigned moved = 0;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const int from = normalize_axis(source[i], n, "moveaxis"), to = normalize_axis(destination[i], n, "moveaxis");
    DNN_EXPECT("moveaxis", (moved >> from & 1) == 0u);
    DNN_EXPECT("moveaxis", axes[static_cast<std::size_t>(to)] == -1);
    moved |= 1u << from;
    axes[static_cast<std::size_t>(to)] = from;
  }
  int next = 0;
  for (int i = 0; i < n; ++i) {
    if (axes[static_cast<std::size_t>(i)] >= 0) continue;
    while (moved >> next & 1) ++next;
    axes[static_cast<std::size_t>(i)] = next++;
  }
  return transpose(x, std::span<const int>(axes.data(), static_cast<std::size_t>(n)));
}
inline Variable moveaxis(const Variable& x, std::initializer_list<int> source, std::initializer_list<int> destination) {
  return moveaxis(x, std::span(source.begin(), source.size()), std::span(destination.begin(), destination.size()));
}
inline Variable moveaxis(const Variable& x, int source, int destination) {
  return moveaxis(x, {source}, {destination});
}

/// Moves `axis` until it stands before the axis that was at `start`, as numpy.rollaxis. Throws IndexError.
inline Variable rollaxis(const Variable& x, int axis, int start = 0) {
  const int n = x.ndim();
  const int from = normalize_axis(axis, n, "rollaxis");
  int to = start == n ? n : normalize_axis(start, n, "rollaxis");
  if (from < to) --to;
  return moveaxis(x, from, to);
}

}  // namespace dnn::inline DNN_ABI::inline functions
