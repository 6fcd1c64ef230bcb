/// Joining arrays along an axis, and its gradient: cutting an array at given places.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/kernels/copy.hpp"

namespace dnn::inline DNN_ABI::inline functions {

using DNN_ABI::concat;  // of texts: the name below would hide it from every function's messages

namespace nodes {

/// Copies `part` to, or from, the elements of `whole` that begin at `begin` along `axis`.
inline void copy_part(Array& to, const Array& from, const Shape& part, int axis, std::int64_t begin, bool to_whole) {
  const auto whole_strides = strides_of(to_whole ? to.shape() : from.shape()), part_strides = strides_of(part);
  const auto offset =
      begin * whole_strides[static_cast<std::size_t>(axis)] * static_cast<std::int64_t>(itemsize(to.dtype()));
  kernels::copy_strided(to.bytes() + (to_whole ? offset : 0), to_whole ? whole_strides : part_strides,
                        from.bytes() + (to_whole ? 0 : offset), to_whole ? part_strides : whole_strides, part,
                        itemsize(to.dtype()));
}

struct Concat final : FunctionNode {
  explicit Concat(int along) : axis(along) {}
  std::string_view name() const override { return "Concat"; }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> x) const override {
    for (const auto& a : x) {
      DNN_EXPECT("concat", a.dtype() == x[0].dtype());
      DNN_EXPECT("concat", a.ndim() == x[0].ndim());
      DNN_EXPECT("concat", a.shape().with(axis, 0) == x[0].shape().with(axis, 0));
    }
  }
  inline Arrays forward(std::span<const Array> x) override;
  inline Variables backward(const Variables& gy) override;

  int axis;
  std::vector<std::int64_t> sizes;  // of the inputs along the axis
};

struct SplitAxis final : FunctionNode {
  /// Pieces of these sizes, which together make the axis.
  SplitAxis(int along, std::vector<std::int64_t> lengths) : axis(along), sizes(std::move(lengths)) {}
  std::string_view name() const override { return "SplitAxis"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    Arrays ys;
    std::int64_t begin = 0;
    for (const auto size : sizes) {
      Array y(x[0].shape().with(axis, size), x[0].dtype(), x[0].device());
      copy_part(y, x[0], y.shape(), axis, begin, false);
      begin += size;
      ys.push_back(std::move(y));
    }
    return ys;
  }
  Variables backward(const Variables& gy) override {
    Variables parts;
    const auto& x = inputs()[0];
    for (std::size_t i = 0; i < gy.size(); ++i) {
      parts.push_back(gy[i].defined() ? gy[i] : Variable(zeros(x->shape.with(axis, sizes[i]), x->dtype)));
    }
    return make_ref<Concat>(axis)->apply({parts.data(), parts.size()});
  }

  int axis;
  std::vector<std::int64_t> sizes;
};

inline Arrays Concat::forward(std::span<const Array> x) {
  std::int64_t total = 0;
  for (const auto& a : x) {
    sizes.push_back(a.shape()[axis]);
    total += sizes.back();
  }
  Array y(x[0].shape().with(axis, total), x[0].dtype(), x[0].device());
  std::int64_t begin = 0;
  for (const auto& a : x) {
    copy_part(y, a, a.shape(), axis, begin, true);
    begin += a.shape()[axis];
  }
  return {y};
}

inline Variables Concat::backward(const Variables& gy) {
  return make_ref<SplitAxis>(axis, sizes)->apply({gy.data(), 1});
}

}  // namespace nodes

/// The arrays one after the other along `axis`. The default is axis 1, not 0, as in Chainer. One dtype, any; one array
/// is returned as it is. Throws ArgumentError for none, or unless the other sizes agree; IndexError for an axis out of
/// range.
inline Variable concat(std::span<const Variable> xs, int axis = 1) {
  DNN_EXPECT("concat", xs.size() >= 1u);
  const int along = normalize_axis(axis, xs[0].ndim(), "concat");
  if (xs.size() == 1) return xs[0];
  return make_ref<nodes::Concat>(along)->apply(xs)[0];
}
inline Variable concat(std::initializer_list<Variable> xs, int axis = 1) {
  return concat(std::span(xs.begin(), xs.size()), axis);
}

/// 1-D arrays end to end; others side by side, along axis 1.
inline Variable hstack(std::span<const Variable> xs) {
  DNN_EXPECT("hstack", xs.size() >= 1u);
  return concat(xs, xs[0].ndim() == 1 ? 0 : 1);
}
inline Variable hstack(std::initializer_list<Variable> xs) { return hstack(std::span(xs.begin(), xs.size())); }

}  // namespace dnn::inline DNN_ABI::inline functions
