/// `DNN_EXPECT("linear", x.shape()[1] == W.shape()[1])`: checks that hold in every build type and say what they
/// compared.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::detail {

/// A decomposed comparison: whether it holds, and its operands for the message.
template <class L, class R>
struct Comparison {
  const L& left;
  const R& right;
  const char* negated;
  bool holds;
};

template <class L>
struct Left {
  const L& value;

#define DNN_EXPECT_OPERATOR(op, negated)                              \
  template <class R>                                                  \
  friend Comparison<L, R> operator op(Left left, const R& right) {    \
    return {left.value, right, " " negated " ", left.value op right}; \
  }
  DNN_EXPECT_OPERATOR(==, "!=")
  DNN_EXPECT_OPERATOR(!=, "==")
  DNN_EXPECT_OPERATOR(<, ">=")
  DNN_EXPECT_OPERATOR(<=, ">")
  DNN_EXPECT_OPERATOR(>, "<=")
  DNN_EXPECT_OPERATOR(>=, "<")
#undef DNN_EXPECT_OPERATOR
};

/// Takes the left operand: `<=>` binds tighter than the comparisons, looser than arithmetic, and no compiler warns of
/// it. To nvcc 13.0 it binds looser than `<`: there it is `<=`, of which the others warn.
struct Decompose {
  template <class L>
  friend Left<L> operator<=>(Decompose, const L& value) {
    return {value};
  }
  template <class L>
  friend Left<L> operator<=(Decompose, const L& value) {
    return {value};
  }
};
#if defined(__CUDACC__)
#define DNN_DECOMPOSE ::dnn::detail::Decompose{} <=
#else
#define DNN_DECOMPOSE ::dnn::detail::Decompose{} <=>
#endif

template <class L, class R>
bool holds(const Comparison<L, R>& comparison) {
  return comparison.holds;
}
/// A condition that is not a comparison.
inline bool holds(Left<bool> condition) { return condition.value; }

[[noreturn, gnu::cold, gnu::noinline]] inline void expectation_failed(std::string_view op, const char* expression,
                                                                      const std::string& values) {
  throw ArgumentError("[", op, "] ", expression, " does not hold: ", values);
}
template <class L, class R>
[[noreturn, gnu::cold, gnu::noinline]] void expectation_failed(std::string_view op, const char* expression,
                                                               const Comparison<L, R>& comparison) {
  expectation_failed(op, expression, concat(comparison.left, comparison.negated, comparison.right));
}
[[noreturn]] inline void expectation_failed(std::string_view op, const char* expression, Left<bool>) {
  expectation_failed(op, expression, "false");
}

}  // namespace dnn::inline DNN_ABI::detail

/// Throws ArgumentError `[op] expression does not hold: left != right` unless `expression`, a comparison or a bool,
/// holds.
#define DNN_EXPECT(op, ...)                                                           \
  do {                                                                                \
    if (!::dnn::detail::holds(DNN_DECOMPOSE __VA_ARGS__)) [[unlikely]] {              \
      ::dnn::detail::expectation_failed(op, #__VA_ARGS__, DNN_DECOMPOSE __VA_ARGS__); \
    }                                                                                 \
  } while (false)
