/// `DNN_EXPECT("linear", x.shape()[1] == W.shape()[1])`: checks that hold in every build type and say what they compared.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::detail {

/// The outcome of a decomposed comparison: whether it holds, and its two values for the message.
struct Comparison {
  bool holds;
  std::string values;
};

template <class L>
struct Left {
  const L& value;

#define DNN_EXPECT_OPERATOR(op, negated)                                                      \
  template <class R>                                                                          \
  friend Comparison operator op(Left left, const R& right) {                                  \
    if (left.value op right) return {true, {}};                                               \
    return {false, concat(left.value, " " negated " ", right)};                               \
  }
  DNN_EXPECT_OPERATOR(==, "!=")
  DNN_EXPECT_OPERATOR(!=, "==")
  DNN_EXPECT_OPERATOR(<, ">=")
  DNN_EXPECT_OPERATOR(<=, ">")
  DNN_EXPECT_OPERATOR(>, "<=")
  DNN_EXPECT_OPERATOR(>=, "<")
#undef DNN_EXPECT_OPERATOR
};

/// Takes the left operand: `<=>` binds tighter than the comparisons, looser than arithmetic, and no compiler warns of it.
struct Decompose {
  template <class L>
  friend Left<L> operator<=>(Decompose, const L& value) {
    return {value};
  }
};

inline Comparison compared(Comparison comparison) { return comparison; }
/// A condition that is not a comparison.
inline Comparison compared(Left<bool> condition) { return {condition.value, "false"}; }

[[noreturn]] inline void expectation_failed(std::string_view op, std::string_view expression, std::string_view values) {
  throw ArgumentError(concat("[", op, "] ", expression, " does not hold: ", values));
}

}  // namespace dnn::inline DNN_ABI::detail

/// Throws ArgumentError `[op] expression does not hold: left != right` unless `expression`, a comparison or a bool, holds.
#define DNN_EXPECT(op, ...)                                                                                   \
  do {                                                                                                        \
    if (auto dnn_comparison = ::dnn::detail::compared(::dnn::detail::Decompose{} <=> __VA_ARGS__);             \
        !dnn_comparison.holds) [[unlikely]] {                                                                 \
      ::dnn::detail::expectation_failed(op, #__VA_ARGS__, dnn_comparison.values);                             \
    }                                                                                                         \
  } while (false)
