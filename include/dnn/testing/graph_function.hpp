#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "dnn/autograd/variable.hpp"

namespace dnn::inline DNN_ABI::testing {

/// A differentiable function of a list of variables. Made from a callable of one to six Variables, or of `Variables`,
/// that returns a Variable, an Array, or `Variables`.
class GraphFunction {
 public:
  GraphFunction() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, GraphFunction>)
  GraphFunction(F f) {
    using V = const Variable&;
    if constexpr (std::invocable<F&, V>) {
      function_ = [f](const Variables& x) mutable { return listed(f(x[0])); };
    } else if constexpr (std::invocable<F&, V, V>) {
      function_ = [f](const Variables& x) mutable { return listed(f(x[0], x[1])); };
    } else if constexpr (std::invocable<F&, V, V, V>) {
      function_ = [f](const Variables& x) mutable { return listed(f(x[0], x[1], x[2])); };
    } else if constexpr (std::invocable<F&, V, V, V, V>) {
      function_ = [f](const Variables& x) mutable { return listed(f(x[0], x[1], x[2], x[3])); };
    } else if constexpr (std::invocable<F&, V, V, V, V, V>) {
      function_ = [f](const Variables& x) mutable { return listed(f(x[0], x[1], x[2], x[3], x[4])); };
    } else if constexpr (std::invocable<F&, V, V, V, V, V, V>) {
      function_ = [f](const Variables& x) mutable { return listed(f(x[0], x[1], x[2], x[3], x[4], x[5])); };
    } else {
      static_assert(std::invocable<F&, const Variables&>, "takes one to six Variables, or a list of them");
      function_ = [f](const Variables& x) mutable { return listed(f(x)); };
    }
  }

  explicit operator bool() const noexcept { return static_cast<bool>(function_); }
  Variables operator()(const Variables& x) const { return function_(x); }

 private:
  static Variables listed(Variables ys) { return ys; }
  static Variables listed(Variable y) { return {std::move(y)}; }

  std::function<Variables(const Variables&)> function_;
};

}  // namespace dnn::inline DNN_ABI::testing
