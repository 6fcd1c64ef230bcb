/// Integer labels of classification, and indices: their one type inside kernels, and when and how they are checked.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "dnn/array/array.hpp"
#include "dnn/array/reduce.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/core/config.hpp"
#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/label_range.hpp"

namespace dnn::inline DNN_ABI::inline functions::nodes {

using kernels::LabelRange;

/// The labels as int64. Throws DTypeError unless they are integers, DeviceError unless they are on `device`.
inline Array labels_of(std::string_view op, const Variable& labels, Device device) {
  const Array t = labels.defined() ? labels.array() : Array{};
  if (!t.defined()) throw ArgumentError("[", op, "] there are no labels");
  if (is_float(t.dtype()) || t.dtype() == boolean) {
    throw DTypeError("[", op, "] labels are integers, not ", t);
  }
  if (t.device() != device) throw DeviceError("[", op, "] labels on ", t.device(), ", scores on ", device);
  return t.to(int64);
}
/// The same in an array of their own: what was checked stays as it is until backward.
inline Array own_labels_of(std::string_view op, const Variable& t, Device device) {
  const Array labels = labels_of(op, t, device);
  return labels.shares_storage(t.array()) ? labels.copy() : labels;
}

/// Whether integers that a kernel on `device` follows are looked at before: not where only that GPU knows them, and
/// they would have to be waited for. What depends on wrong ones is NaN then. Debug mode waits.
inline bool is_checked(const Array& integers, Device device) {
  return integers.device() == Device{} || integers.device() != device || config().debug;
}

/// Throws ArgumentError naming the first label that `accepts` refuses, where labels are checked.
template <class Accepts>
void check_labels(std::string_view op, const Array& labels, const LabelRange& range, Accepts accepts) {
  if (!is_checked(labels, labels.device())) return;
  const Array host = labels.to(Device{});
  std::int64_t index = 0;
  for (const auto label : host.span<std::int64_t>()) {
    if (!accepts(label)) {
      throw ArgumentError(
          concat("[", op, "] label ", label, " at index ", index, " is out of range for ", range.classes, " classes"));
    }
    ++index;
  }
}
/// Labels are in [0, classes) or `ignore_label`.
inline void check_labels(std::string_view op, const Array& labels, std::int64_t classes,
                         std::optional<std::int64_t> ignore_label = {}) {
  const LabelRange range(classes, ignore_label);
  check_labels(op, labels, range, [&](std::int64_t label) { return range.holds(label) || range.ignores(label); });
}

template <class T>
struct BinaryTargets {
  T* targets;
  double* counted;
  const std::int64_t* labels;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t label = labels[i];
    counted[i] = label != -1 ? 1 : 0;
    targets[i] = label >= -1 && label <= 1 ? static_cast<T>(label) : std::numeric_limits<T>::quiet_NaN();
  }
};

/// Labels 0, 1 and -1 as numbers of `dtype`, others NaN; and 1 for those that are not -1 (float64).
inline std::pair<Array, Array> binary_targets(const Array& labels, DType dtype) {
  const UsingDevice here(labels.device());
  Array targets(labels.shape(), compute_dtype(dtype)), counted(labels.shape(), float64);
  visit_float(targets.dtype(), "labels", [&]<class T>(std::type_identity<T>) {
    kernels::for_each_index("labels", labels.size(), 32768,
                            BinaryTargets<T>{targets.data<T>(), counted.data<double>(), labels.data<std::int64_t>()});
  });
  return {targets.to(dtype), counted};
}

struct InverseCount {
  double* count;

  DNN_HD void operator()(std::int64_t) const { *count = 1 / (*count > 1 ? *count : 1); }
};

/// 1 / max(count, 1) as a scalar of `dtype`, for the number of ones in `counted` (float64): nobody waits for it.
inline Array inverse_count(const Array& counted, DType dtype) {
  const UsingDevice here(counted.device());
  Array count = reduce_axes<kernels::Sum>(counted.reshape({-1}), 1u).reshape(Shape{});
  kernels::for_each_index("inverse_count", 1, 1, InverseCount{count.data<double>()});
  return count.to(dtype);
}

}  // namespace dnn::inline DNN_ABI::inline functions::nodes
