/// Reductions of arrays over axes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "dnn/array/array.hpp"
#include "dnn/core/small_vector.hpp"
#include "dnn/kernels/reduce.hpp"

namespace dnn::inline DNN_ABI {

/// Axes of a reduction: `{}` is all of them, `0` one, `{0, 2}` several; negative count from the end.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : axes_{axis}, all_(false) {}
  Axes(std::initializer_list<int> axes) : axes_(axes), all_(axes.size() == 0) {}
  /// Exactly these: an empty span is no axis.
  explicit Axes(std::span<const int> axes) : axes_(axes.data(), axes.data() + axes.size()), all_(false) {}

  bool is_all() const noexcept { return all_; }
  /// Bit i set: axis i is reduced. Throws IndexError out of range, ArgumentError for an axis named twice.
  unsigned mask(int ndim, std::string_view op) const {
    if (all_) return (1u << ndim) - 1;
    unsigned mask = 0;
    for (const int axis : axes_) {
      const unsigned bit = 1u << normalize_axis(axis, ndim, op);
      if (mask & bit) throw ArgumentError("[", op, "] axis ", axis, " is named twice");
      mask |= bit;
    }
    return mask;
  }

 private:
  SmallVector<int, max_ndim> axes_;
  bool all_ = true;
};

/// `shape` with the masked axes removed, or of size 1 when `keepdims`.
inline Shape reduced_shape(const Shape& shape, unsigned mask, bool keepdims) {
  Shape out = shape;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    if (mask >> i & 1) out = keepdims ? out.with(i, 1) : out.without(i);
  }
  return out;
}

/// Reduces the masked axes by kernels::Sum, Max or Min; the result keeps them with size 1. float32, float64 and int64;
/// other dtypes are computed in these and converted back.
template <class Op>
[[gnu::noinline]] Array reduce_axes(const Array& x, unsigned mask) {
  const UsingDevice here(x.device());
  const DType compute = is_float(x.dtype()) ? compute_dtype(x.dtype()) : DType::int64;
  Array current = x.to(compute);
  const auto step = [&]<class T>(std::type_identity<T>) {
    // Neighbouring axes are reduced together, from the last group to the first.
    for (int last = x.ndim() - 1; last >= 0; --last) {
      if (!(mask >> last & 1)) continue;
      int first = last;
      while (first > 0 && (mask >> (first - 1) & 1)) --first;
      const Shape& shape = current.shape();
      std::int64_t outer = 1, reduced = 1, inner = 1;
      Shape next = shape;
      for (int i = 0; i < shape.ndim(); ++i) (i < first ? outer : i <= last ? reduced : inner) *= shape[i];
      for (int i = first; i <= last; ++i) next = next.with(i, 1);
      Array out(next, compute, x.device());
      kernels::reduce<Op>(out.data<T>(), std::as_const(current).template data<T>(), outer, reduced, inner);
      current = out;
      last = first;
    }
  };
  if (compute == DType::float64) step(std::type_identity<double>{});
  else if (compute == DType::float32) step(std::type_identity<float>{});
  else step(std::type_identity<std::int64_t>{});
  return current.to(x.dtype());
}

/// The mask of the axes along which `from` must be summed to have shape `to` again after a broadcast.
inline unsigned broadcast_mask(const Shape& from, const Shape& to) {
  unsigned mask = 0;
  const int lead = from.ndim() - to.ndim();
  for (int i = 0; i < from.ndim(); ++i) {
    if (i < lead || (to[i - lead] == 1 && from[i] != 1)) mask |= 1u << i;
  }
  return mask;
}

}  // namespace dnn::inline DNN_ABI
