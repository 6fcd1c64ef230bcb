/// Which labels name a class.
#pragma once

#include <cstdint>
#include <optional>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// For kernels, where labels that name no class give NaN instead of an error.
struct LabelRange {
  std::int64_t classes;
  bool may_ignore;
  std::int64_t ignored;

  LabelRange(std::int64_t count, std::optional<std::int64_t> ignore_label) noexcept
      : classes(count), may_ignore(ignore_label.has_value()), ignored(ignore_label.value_or(0)) {}

  DNN_HD bool ignores(std::int64_t label) const noexcept { return may_ignore && label == ignored; }
  DNN_HD bool holds(std::int64_t label) const noexcept { return label >= 0 && label < classes; }
};

}  // namespace dnn::inline DNN_ABI::kernels
