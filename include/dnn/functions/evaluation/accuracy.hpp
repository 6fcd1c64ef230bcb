/// The share of examples whose highest score is that of their label.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "dnn/array/factories.hpp"
#include "dnn/array/reduce.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/functions/labels.hpp"
#include "dnn/functions/math/argmax.hpp"
#include "dnn/kernels/for_each_index.hpp"
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
  const UsingDevice here(y.device());
  Array out(positions, int32);
  const Array wide = y.to(compute_dtype(y.dtype()));
  const auto outer = y.shape()[0], classes = y.shape()[1], inner = y.shape().slice(2, y.ndim()).size();
  visit_float(wide.dtype(), op, [&]<class T>(std::type_identity<T>) {
    kernels::arg_reduce<Greater>(out.data<std::int32_t>(), wide.data<T>(), outer, classes, inner);
  });
  return out;
}

/// right[i] = 1 where the guess is the label, 0 elsewhere; counts[i] = 1 unless the label is ignored. NaN where it is
/// beyond the classes.
struct RightGuess {
  double *right, *counts;
  const std::int32_t* guesses;
  const std::int64_t* labels;
  LabelRange range;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t label = labels[i];
    const bool counted = !range.ignores(label);
    counts[i] = counted ? 1 : 0;
    right[i] = counted && guesses[i] == label ? 1 : 0;
    if (counted && label >= range.classes) right[i] = std::numeric_limits<double>::quiet_NaN();
  }
};

/// The share of `right` among `counts`, (2, n) float64, as a scalar of `dtype`; `none` where nothing counts.
struct Share {
  double* sums;
  double none;

  DNN_HD void operator()(std::int64_t) const { sums[0] = sums[1] == 0 ? none : sums[0] / sums[1]; }
};
inline Array share(const Array& right_and_counts, double none, DType dtype) {
  Array sums = reduce_axes<kernels::Sum>(right_and_counts, 2u).reshape({2});
  kernels::for_each_index("share", 1, 1, Share{sums.data<double>(), none});
  return sums[0].to(dtype);
}

}  // namespace nodes

/// y (N, C, ...) scores, t (N, ...) integer labels -> the share of positions where argmax over axis 1 is t, a scalar of
/// y's dtype without gradient. A NaN counts as the highest score. Labels equal to `ignore_label` are left out (by
/// default there is none: -1 is just wrong); 0 when nothing is left. Throws ArgumentError for a label beyond the
/// classes, naming it and its index, or shapes that do not fit.
inline Variable accuracy(const Variable& y, const Variable& t, std::optional<std::int64_t> ignore_label = {}) {
  const Array labels = nodes::labels_of("accuracy", t, y.device());
  const Array predicted = nodes::predicted_classes("accuracy", y.array(), labels);
  const nodes::LabelRange range(y.shape()[1], ignore_label);
  nodes::check_labels("accuracy", labels, range,
                      [&](std::int64_t label) { return label < range.classes || range.ignores(label); });
  const UsingDevice here(y.device());
  Array counts({2, labels.size()}, float64);
  double* const right = counts.data<double>();
  kernels::for_each_index("accuracy", labels.size(), 32768,
                          nodes::RightGuess{right, right + labels.size(), predicted.data<std::int32_t>(),
                                            labels.data<std::int64_t>(), range});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return nodes::share(counts, ignore_label ? 0.0 : nan, y.dtype());
}

}  // namespace dnn::inline DNN_ABI::inline functions
