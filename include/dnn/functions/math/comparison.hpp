/// == != < <= > >= on Variables, Arrays and numbers, elementwise with NumPy's broadcasting; & | ! on their results.
///
/// The result is a bool Array: comparisons have no gradient. Together with `where` they complete the formulas of
/// elementwise ops: `where(x > 0, gy, 0)` works on packs and on Variables. Operands of different dtypes are compared in
/// their common type; a number never widens a float array (it is rounded to the array's dtype first).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/kernels/elementwise.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

enum class Relation : std::uint8_t { equal, not_equal, less, less_equal, both, either };

struct Compare {
  Relation relation;

  template <class V>
  constexpr V operator()(V a, V b) const {
    switch (relation) {
      case Relation::equal: return where(a == b, V(1), V(0));
      case Relation::not_equal: return where(a == b, V(0), V(1));
      case Relation::less: return where(a < b, V(1), V(0));
      case Relation::less_equal: return where(a <= b, V(1), V(0));
      case Relation::both: return where((a != V(0)) & (b != V(0)), V(1), V(0));
      case Relation::either: break;
    }
    return where((a != V(0)) | (b != V(0)), V(1), V(0));
  }
};

inline Array compare(Relation relation, const Array& a, const Array& b) {
  if (a.device() != b.device()) throw DeviceError("[compare] operands on ", a.device(), " and ", b.device());
  const UsingDevice here(a.device());
  const DType common = promote(a.dtype(), b.dtype());
  const Array left = a.to(common), right = b.to(common);
  Array y(broadcast_shapes(a.shape(), b.shape(), "compare"), boolean, a.device());
  const Compare formula{relation};
  const std::array operands{left.operand(), right.operand()};
  kernels::elementwise_kernel<Compare, 2, true>().run(&formula, y.bytes(), boolean, y.shape(), operands);
  return y;
}

/// The number as an array that can be compared with `x` exactly: 0.5 stays 0.5 beside integers.
inline Array comparable(double number, const Array& x) {
  const UsingDevice here(x.device());
  if (is_float(x.dtype())) return full({}, number, x.dtype());
  const bool whole = number == std::trunc(number) && std::abs(number) < 0x1p63;
  return full({}, number, whole ? int64 : float64);
}

inline const Array& logical(const Array& x, std::string_view op) {
  if (x.dtype() != boolean) throw DTypeError("[", op, "] takes bool arrays, not ", x);
  return x;
}

}  // namespace detail

inline Array operator==(const Variable& a, const Variable& b) {
  return detail::compare(detail::Relation::equal, a.array(), b.array());
}
inline Array operator!=(const Variable& a, const Variable& b) {
  return detail::compare(detail::Relation::not_equal, a.array(), b.array());
}
inline Array operator<(const Variable& a, const Variable& b) {
  return detail::compare(detail::Relation::less, a.array(), b.array());
}
inline Array operator<=(const Variable& a, const Variable& b) {
  return detail::compare(detail::Relation::less_equal, a.array(), b.array());
}
inline Array operator>(const Variable& a, const Variable& b) { return b < a; }
inline Array operator>=(const Variable& a, const Variable& b) { return b <= a; }

inline Array operator==(const Variable& a, double b) { return a == Variable(detail::comparable(b, a.array())); }
inline Array operator!=(const Variable& a, double b) { return a != Variable(detail::comparable(b, a.array())); }
inline Array operator<(const Variable& a, double b) { return a < Variable(detail::comparable(b, a.array())); }
inline Array operator<=(const Variable& a, double b) { return a <= Variable(detail::comparable(b, a.array())); }
inline Array operator>(const Variable& a, double b) { return a > Variable(detail::comparable(b, a.array())); }
inline Array operator>=(const Variable& a, double b) { return a >= Variable(detail::comparable(b, a.array())); }

inline Array operator==(double a, const Variable& b) { return b == a; }
inline Array operator!=(double a, const Variable& b) { return b != a; }
inline Array operator<(double a, const Variable& b) { return b > a; }
inline Array operator<=(double a, const Variable& b) { return b >= a; }
inline Array operator>(double a, const Variable& b) { return b < a; }
inline Array operator>=(double a, const Variable& b) { return b <= a; }

/// Both, either, not: of bool arrays, broadcast together. Throws DTypeError for other dtypes.
inline Array operator&(const Array& a, const Array& b) {
  return detail::compare(detail::Relation::both, detail::logical(a, "&"), detail::logical(b, "&"));
}
inline Array operator|(const Array& a, const Array& b) {
  return detail::compare(detail::Relation::either, detail::logical(a, "|"), detail::logical(b, "|"));
}
inline Array operator!(const Array& x) {
  return detail::compare(detail::Relation::equal, detail::logical(x, "!"), zeros({}, boolean));
}

}  // namespace dnn::inline DNN_ABI
