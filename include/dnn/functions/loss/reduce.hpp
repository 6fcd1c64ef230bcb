/// What a loss function makes of the losses of single elements.
#pragma once

#include <cstdint>
#include <string_view>

#include "dnn/core/expect.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sum.hpp"

namespace dnn::inline DNN_ABI::inline functions {

enum class Reduce : std::uint8_t {
  mean,                   ///< a scalar
  sum,                    ///< a scalar
  no,                     ///< every element's own loss
  sum_along_second_axis,  ///< huber_loss: a loss for every example
};

namespace nodes {

[[noreturn]] inline void unknown_reduction(std::string_view op, std::string_view known) {
  throw ArgumentError("[", op, "] reduce is none of ", known);
}

/// `losses` reduced by sum, mean over all elements, or not at all.
inline Variable reduced_loss(std::string_view op, const Variable& losses, Reduce reduce) {
  switch (reduce) {
    case Reduce::sum: return sum(losses);
    case Reduce::mean: return mean(losses);
    case Reduce::no: return losses;
    default: unknown_reduction(op, "sum, mean, no");
  }
}

}  // namespace nodes

}  // namespace dnn::inline DNN_ABI::inline functions
