/// floor, ceil, fix and sign: functions of steps. Their derivative is 0 wherever there is one, so that, as in Chainer,
/// the result is not connected to the graph.
#pragma once

#include <array>
#include <string_view>

#include "dnn/autograd/variable.hpp"
#include "dnn/kernels/elementwise.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

struct Floor {
  template <class V>
  constexpr V operator()(V x) const {
    return floor(x);
  }
};
struct Ceil {
  template <class V>
  constexpr V operator()(V x) const {
    return ceil(x);
  }
};
struct Fix {
  template <class V>
  constexpr V operator()(V x) const {
    return fix(x);
  }
};
struct Sign {
  template <class V>
  constexpr V operator()(V x) const {
    return where(x > 0, 1, where(x < 0, -1, x));
  }
};

template <class Step>
Variable step_function(std::string_view op, const Step& step, const Variable& x) {
  if (!is_float(x.dtype())) throw DTypeError("[", op, "] takes a float dtype, not ", x.array());
  Array y(x.shape(), x.dtype(), x.device());
  kernels::elementwise(step, y.bytes(), y.dtype(), y.shape(), std::array{x.array().operand()});
  return y;
}

}  // namespace nodes

/// The largest integer that is not above x, elementwise. Float dtypes.
template <class = void>
Variable floor(const Variable& x) {
  return nodes::step_function("floor", nodes::Floor{}, x);
}

/// The smallest integer that is not below x, elementwise. Float dtypes.
template <class = void>
Variable ceil(const Variable& x) {
  return nodes::step_function("ceil", nodes::Ceil{}, x);
}

/// x rounded towards 0, elementwise. Float dtypes.
template <class = void>
Variable fix(const Variable& x) {
  return nodes::step_function("fix", nodes::Fix{}, x);
}

/// 1 where x is positive, -1 where it is negative, x itself (0 or NaN) elsewhere. Float dtypes.
template <class = void>
Variable sign(const Variable& x) {
  return nodes::step_function("sign", nodes::Sign{}, x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
