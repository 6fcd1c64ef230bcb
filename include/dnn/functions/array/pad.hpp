#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/functions/array/get_item.hpp"

namespace dnn::inline DNN_ABI::inline functions {

/// Elements put before and after an axis.
using PadWidth = std::pair<std::int64_t, std::int64_t>;

namespace nodes {

struct Pad final : FunctionNode {
  Pad(std::vector<PadWidth> widths, double constant) : width(std::move(widths)), value(constant) {}
  std::string_view name() const override { return "Pad"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    Shape shape = x[0].shape();
    for (int i = 0; i < shape.ndim(); ++i) {
      const auto [before, after] = width[static_cast<std::size_t>(i)];
      shape = shape.with(i, before + shape[i] + after);
    }
    Array y(shape, x[0].dtype(), x[0].device());
    y.fill(value);
    const auto strides = strides_of(shape);
    std::int64_t begin = 0;
    for (int i = 0; i < shape.ndim(); ++i)
      begin += width[static_cast<std::size_t>(i)].first * strides[static_cast<std::size_t>(i)];
    kernels::copy_strided(y.bytes() + begin * static_cast<std::int64_t>(itemsize(y.dtype())), strides, x[0].bytes(),
                          strides_of(x[0].shape()), x[0].shape(), itemsize(y.dtype()));
    return {y};
  }
  Variables backward(const Variables& gy) override {
    const Shape& shape = inputs()[0]->shape;
    std::vector<Index> inside;
    for (int i = 0; i < shape.ndim(); ++i) {
      const auto before = width[static_cast<std::size_t>(i)].first;
      inside.push_back(Slice{before, before + shape[i]});
    }
    return {get_item(gy[0], inside)};
  }

  std::vector<PadWidth> width;
  double value;
};

}  // namespace nodes

/// What is put around an array, but for a constant; numpy.pad's names.
enum class PadMode : std::uint8_t {
  edge,       ///< a a [a b c] c c
  reflect,    ///< c b [a b c] b a
  symmetric,  ///< b a [a b c] c b
  wrap,       ///< b c [a b c] a b
};

namespace nodes {
/// One pair for each axis. Throws ArgumentError.
inline std::vector<PadWidth> pad_widths(const Variable& x, std::span<const PadWidth> widths) {
  DNN_EXPECT("pad", (widths.size() == 1 || widths.size() == static_cast<std::size_t>(x.ndim())));
  std::vector<PadWidth> each;
  for (int i = 0; i < x.ndim(); ++i) {
    each.push_back(widths[widths.size() == 1 ? 0 : static_cast<std::size_t>(i)]);
    DNN_EXPECT("pad", each.back().first >= 0);
    DNN_EXPECT("pad", each.back().second >= 0);
  }
  return each;
}

/// Which of n elements stands at `position`, counted from the first.
inline std::int64_t pad_source(PadMode mode, std::int64_t position, std::int64_t n) {
  if (mode == PadMode::edge || n == 1) return std::clamp<std::int64_t>(position, 0, n - 1);
  const std::int64_t period = mode == PadMode::wrap ? n : mode == PadMode::symmetric ? 2 * n : 2 * n - 2;
  const std::int64_t at = (position % period + period) % period;
  return at < n ? at : mode == PadMode::symmetric ? period - 1 - at : period - at;
}
}  // namespace nodes

/// x with `value` around it: `widths` has (before, after) for every axis, or one pair for all: `pad(x, {{0, 0}, {1,
/// 2}})`. Any dtype. This is numpy.pad's mode "constant". Throws ArgumentError for a negative width or a wrong count of
/// them.
inline Variable pad(const Variable& x, std::span<const PadWidth> widths, double value = 0) {
  return call(make_ref<nodes::Pad>(nodes::pad_widths(x, widths), value), x);
}
inline Variable pad(const Variable& x, std::initializer_list<PadWidth> widths, double value = 0) {
  return pad(x, std::span(widths.begin(), widths.size()), value);
}
inline Variable pad(const Variable& x, std::int64_t width, double value = 0) { return pad(x, {{width, width}}, value); }

/// x with repetitions of its own elements around it. (Chainer has no gradient of this; here there is one.) Throws
/// ArgumentError as above, and for an empty axis, which has nothing to repeat.
inline Variable pad(const Variable& x, std::span<const PadWidth> widths, PadMode mode) {
  const auto each = nodes::pad_widths(x, widths);
  Variable y = x;
  for (int axis = 0; axis < x.ndim(); ++axis) {
    const auto [before, after] = each[static_cast<std::size_t>(axis)];
    if (before == 0 && after == 0) continue;
    const auto n = x.shape()[axis];
    if (n == 0) throw ArgumentError("[pad] axis ", axis, " of shape ", x.shape(), " is empty");
    std::vector<std::int64_t> sources;
    for (std::int64_t i = -before; i < n + after; ++i) sources.push_back(nodes::pad_source(mode, i, n));
    std::vector<Index> index(static_cast<std::size_t>(axis), Index(Slice{}));
    index.push_back(array_from(sources));
    y = get_item(y, index);
  }
  return y;
}
inline Variable pad(const Variable& x, std::initializer_list<PadWidth> widths, PadMode mode) {
  return pad(x, std::span(widths.begin(), widths.size()), mode);
}
inline Variable pad(const Variable& x, std::int64_t width, PadMode mode) { return pad(x, {{width, width}}, mode); }

}  // namespace dnn::inline DNN_ABI::inline functions
