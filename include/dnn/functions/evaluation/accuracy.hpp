/// The share of examples whose highest score is that of their label.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/functions/labels.hpp"
#include "dnn/kernels/reduce.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// argmax of y (N, C, ...) over the classes for every label, int32. Throws ArgumentError unless y's shape without the
/// class axis is the labels' shape, but for trailing ones.
inline Array predicted_classes(std::string_view op, const Array& y, const Array& labels) {
  DNN_EXPECT(op, is_float(y.dtype()));
  DNN_EXPECT(op, y.ndim() >= 2);
  DNN_EXPECT(op, y.shape()[1] >= 1);
  Shape positions = y.shape().without(1);
  while (positions.ndim() > labels.ndim() && positions[positions.ndim() - 1] == 1)
    positions = positions.without(positions.ndim() - 1);
  DNN_EXPECT(op, labels.shape() == positions);
  Array out(positions, int32);
  const Array wide = y.to(compute_dtype(y.dtype()));
  const auto outer = y.shape()[0], classes = y.shape()[1], inner = y.shape().slice(2, y.ndim()).size();
  visit_float(wide.dtype(), op, [&]<class T>(std::type_identity<T>) {
    kernels::arg_reduce<std::greater<>>(out.data<std::int32_t>(), wide.data<T>(), outer, classes, inner);
  });
  return out;
}

}  // namespace nodes

/// y (N, C, ...) scores, t (N, ...) integer labels -> the share of positions where argmax over axis 1 is t, a scalar of
/// y's dtype without gradient. A NaN counts as the highest score. Labels equal to `ignore_label` are left out (by
/// default there is none: -1 is just wrong); 0 when nothing is left. Throws ArgumentError for a label beyond the
/// classes, naming it and its index, or shapes that do not fit.
inline Variable accuracy(const Variable& y, const Array& t, std::optional<std::int64_t> ignore_label = {}) {
  const Array labels = nodes::labels_of("accuracy", t);
  const Array predicted = nodes::predicted_classes("accuracy", y.array(), labels);
  const auto classes = y.shape()[1];
  const auto label = std::as_const(labels).span<std::int64_t>();
  const std::int32_t* guess = predicted.data<std::int32_t>();
  std::int64_t right = 0, count = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (ignore_label && label[i] == *ignore_label) continue;
    if (label[i] >= classes) {
      throw ArgumentError("[accuracy] label ", label[i], " at index ", i, " is out of range for ", classes, " classes");
    }
    ++count;
    right += guess[i] == label[i];
  }
  const double share = static_cast<double>(right) / static_cast<double>(count);
  return full({}, count == 0 && ignore_label ? 0.0 : share, y.dtype());
}

}  // namespace dnn::inline DNN_ABI::inline functions
