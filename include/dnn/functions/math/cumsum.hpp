#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/kernels/for_each_index.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// Adds up one piece of a line, from `before` the piece on: writes every sum to `out`, the last one to `sums`.
template <class T>
struct CumulatePiece {
  static constexpr std::int64_t piece = 16;

  T *out, *sums;        // (outer, length, inner), (outer, pieces, inner); null where not wanted
  const T *x, *before;  // before: what is in `sums` of earlier pieces, added up
  std::int64_t length, pieces, inner;
  bool reverse;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t column = i % inner, p = i / inner % pieces, o = i / inner / pieces;
    T sum = before && p > 0 ? before[i - inner] : T(0);
    const std::int64_t end = (p + 1) * piece < length ? (p + 1) * piece : length;
    for (std::int64_t r = p * piece; r < end; ++r) {
      const std::int64_t at = (o * length + (reverse ? length - 1 - r : r)) * inner + column;
      sum += x[at];
      if (out) out[at] = sum;
    }
    if (sums) sums[i] = sum;
  }
};

/// Sums of pieces, their cumulative sums in the same way, and from these on the pieces once more: the order of
/// additions depends on the length alone, and rounding errors grow with its logarithm.
template <class T>
Array cumulate(const Array& x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool reverse) {
  Array out(x.shape(), x.dtype());
  const auto pieces = (length + CumulatePiece<T>::piece - 1) / CumulatePiece<T>::piece;
  const auto run = [&](T* to, T* sums, const T* before) {
    kernels::for_each_index("cumsum", outer * pieces * inner, 1024,
                            CumulatePiece<T>{to, sums, x.data<T>(), before, length, pieces, inner, reverse});
  };
  if (pieces <= 1) {
    run(out.data<T>(), nullptr, nullptr);
    return out;
  }
  Array sums({outer, pieces, inner}, x.dtype());
  run(nullptr, sums.data<T>(), nullptr);
  const Array before = cumulate<T>(sums, outer, pieces, inner, false);
  run(out.data<T>(), nullptr, before.data<T>());
  return out;
}

class Cumsum final : public FunctionNode {
 public:
  Cumsum(int axis, bool reverse) : axis_(axis), reverse_(reverse) {}
  std::string_view name() const override { return "Cumsum"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> inputs) override {
    const Array& x = inputs[0];
    const DType dtype = is_float(x.dtype()) ? x.dtype() : int64, compute = compute_dtype(dtype);
    const auto outer = x.shape().slice(0, axis_).size(), inner = x.shape().slice(axis_ + 1, x.ndim()).size();
    const auto run = [&]<class T>(std::type_identity<T>) {
      return cumulate<T>(x.to(compute), outer, x.shape()[axis_], inner, reverse_).to(dtype);
    };
    if (dtype == int64) return {run(std::type_identity<std::int64_t>{})};
    if (dtype == float64) return {run(std::type_identity<double>{})};
    return {run(std::type_identity<float>{})};
  }
  Variables backward(const Variables& gy) override { return {call(make_ref<Cumsum>(axis_, !reverse_), gy[0])}; }

 private:
  int axis_;
  bool reverse_;
};

}  // namespace nodes

/// y[i] = x[0] + ... + x[i] along `axis`; without an axis, of the flattened x. 16-bit floats are added up in float32;
/// integers and bools give int64. The same bits on every device. Throws IndexError for an axis out of range.
inline Variable cumsum(const Variable& x, std::optional<int> axis = {}) {
  if (!axis) return call(make_ref<nodes::Cumsum>(0, false), reshape(x, {-1}));
  return call(make_ref<nodes::Cumsum>(normalize_axis(*axis, x.ndim(), "cumsum"), false), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
