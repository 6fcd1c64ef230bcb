#pragma once

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

/// x with `value` around it: `widths` has (before, after) for every axis, or one pair for all: `pad(x, {{0, 0}, {1,
/// 2}})`. Any dtype. This is numpy.pad's mode "constant". Throws ArgumentError for a negative width or a wrong count of
/// them.
inline Variable pad(const Variable& x, std::span<const PadWidth> widths, double value = 0) {
  DNN_EXPECT("pad", (widths.size() == 1 || widths.size() == static_cast<std::size_t>(x.ndim())));
  std::vector<PadWidth> each;
  for (int i = 0; i < x.ndim(); ++i) {
    each.push_back(widths[widths.size() == 1 ? 0 : static_cast<std::size_t>(i)]);
    DNN_EXPECT("pad", each.back().first >= 0);
    DNN_EXPECT("pad", each.back().second >= 0);
  }
  return call(make_ref<nodes::Pad>(std::move(each), value), x);
}
inline Variable pad(const Variable& x, std::initializer_list<PadWidth> widths, double value = 0) {
  return pad(x, std::span(widths.begin(), widths.size()), value);
}
inline Variable pad(const Variable& x, std::int64_t width, double value = 0) { return pad(x, {{width, width}}, value); }

}  // namespace dnn::inline DNN_ABI::inline functions
