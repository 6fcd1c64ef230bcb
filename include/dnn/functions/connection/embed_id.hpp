/// Table lookup: a row of W for every id.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/labels.hpp"
#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/gather.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// Where the row of an id begins in W.
struct RowStart {
  std::int64_t* starts;
  const std::int64_t* ids;
  std::int64_t width;
  LabelRange range;

  DNN_HD void operator()(std::int64_t i) const {
    using kernels::PlacedGrid;
    const std::int64_t id = ids[i];
    starts[i] = range.ignores(id) ? PlacedGrid::zeros : range.holds(id) ? id * width : PlacedGrid::unknown;
  }
};
inline Array row_starts(const Array& ids, const Shape& W, std::optional<std::int64_t> ignore_label) {
  Array starts(ids.shape(), int64, ids.device());
  kernels::for_each_index(
      "embed_id", ids.size(), 32768,
      RowStart{starts.data<std::int64_t>(), ids.data<std::int64_t>(), W[1], LabelRange(W[0], ignore_label)});
  return starts;
}
/// Rows of W there, one after the other in another array.
inline kernels::PlacedGrid rows_at(const Array& starts, std::int64_t width) {
  return {starts.data<std::int64_t>(), starts.size(), width, Shape{width}, {1}, {1}};
}

class EmbedID final : public FunctionNode {
 public:
  EmbedID(const Array& ids, std::optional<std::int64_t> ignore_label) : ids_(ids), ignore_label_(ignore_label) {}
  std::string_view name() const override { return "EmbedIDFunction"; }
  bool takes_16bit_floats() const override { return true; }
  void check(std::span<const Array> inputs) const override {
    DNN_EXPECT("embed_id", inputs[0].ndim() == 2);
    check_labels("embed_id", ids_, inputs[0].shape()[0], ignore_label_);
  }
  Arrays forward(std::span<const Array> inputs) override {
    const Array& W = inputs[0];
    Array y(ids_.shape().with_inserted(ids_.ndim(), W.shape()[1]), W.dtype(), W.device());
    const Array starts = row_starts(ids_, W.shape(), ignore_label_);
    kernels::gather_places(y.bytes(), W.bytes(), itemsize(W.dtype()), rows_at(starts, W.shape()[1]));
    return {y};
  }
  inline Variables backward(const Variables& gy) override;

 private:
  Array ids_;
  std::optional<std::int64_t> ignore_label_;
};

/// gy -> gW: every row is added to the row of its id.
class EmbedIDGrad final : public FunctionNode {
 public:
  EmbedIDGrad(const Array& ids, const Shape& W_shape, std::optional<std::int64_t> ignore_label)
      : ids_(ids), shape_(W_shape), ignore_label_(ignore_label) {}
  std::string_view name() const override { return "EmbedIDGrad"; }
  Arrays forward(std::span<const Array> inputs) override {
    const Array& gy = inputs[0];
    Array gW(shape_, gy.dtype(), gy.device());
    gW.fill(0);
    const Array starts = row_starts(ids_, shape_, ignore_label_);
    visit_float(gy.dtype(), "embed_id", [&]<class T>(std::type_identity<T>) {
      kernels::scatter_places(gW.data<T>(), gy.data<T>(), rows_at(starts, shape_[1]));
    });
    return {gW};
  }
  Variables backward(const Variables& ggW) override { return {call(make_ref<EmbedID>(ids_, ignore_label_), ggW[0])}; }

 private:
  Array ids_;
  Shape shape_;
  std::optional<std::int64_t> ignore_label_;
};

inline Variables EmbedID::backward(const Variables& gy) {
  return {call(make_ref<EmbedIDGrad>(ids_, inputs()[0]->shape, ignore_label_), gy[0])};
}

}  // namespace nodes

/// W[x]: x holds integers of any shape, W is (ids, width), the result x.shape + (width). Where x is `ignore_label` the
/// result is 0 and no gradient flows. Throws ArgumentError naming the first id out of range, DTypeError unless x is
/// integer.
inline Variable embed_id(const Variable& x, const Variable& W, std::optional<std::int64_t> ignore_label = {}) {
  return call(make_ref<nodes::EmbedID>(nodes::own_labels_of("embed_id", x, W.device()), ignore_label), W);
}

}  // namespace dnn::inline DNN_ABI::inline functions
