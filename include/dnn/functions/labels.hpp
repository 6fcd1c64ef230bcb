/// Integer labels of classification: their one type inside kernels, and the check that every one names a class.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dnn/array/array.hpp"

namespace dnn::inline DNN_ABI::inline functions::nodes {

/// The labels as int64, in an array of their own: what was checked stays as it is until backward. Throws DTypeError
/// unless they are integers.
inline Array labels_of(std::string_view op, const Array& t) {
  if (!t.defined()) throw ArgumentError("[", op, "] there are no labels");
  if (is_float(t.dtype()) || t.dtype() == boolean) {
    throw DTypeError("[", op, "] labels are integers, not ", t);
  }
  return t.dtype() == int64 ? t.copy() : t.to(int64);
}

/// Throws ArgumentError naming the first label that is neither in [0, classes) nor `ignore_label`.
inline void check_labels(std::string_view op, const Array& labels, std::int64_t classes,
                         std::optional<std::int64_t> ignore_label = {}) {
  std::int64_t index = 0;
  for (const auto label : labels.span<std::int64_t>()) {
    if ((label < 0 || label >= classes) && (!ignore_label || label != *ignore_label)) {
      throw ArgumentError("[", op, "] label ", label, " at index ", index, " is out of range for ", classes,
                          " classes");
    }
    ++index;
  }
}

}  // namespace dnn::inline DNN_ABI::inline functions::nodes
