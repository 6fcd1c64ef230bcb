/// Table lookup: a row of W for every id.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/labels.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

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
    const auto row = static_cast<std::size_t>(W.shape()[1]) * itemsize(W.dtype());
    std::byte* out = y.bytes();
    for (const auto id : ids_.span<std::int64_t>()) {
      if (ignore_label_ && id == *ignore_label_) {
        std::memset(out, 0, row);
      } else {
        std::memcpy(out, W.bytes() + static_cast<std::size_t>(id) * row, row);
      }
      out += row;
    }
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
    visit_float(gy.dtype(), "embed_id", [&]<class T>(std::type_identity<T>) {
      const T* in = gy.data<T>();
      const auto width = shape_[1];
      for (const auto id : ids_.span<std::int64_t>()) {
        if (!ignore_label_ || id != *ignore_label_) {
          T* out = gW.data<T>() + id * width;
          for (std::int64_t i = 0; i < width; ++i) out[i] += in[i];
        }
        in += width;
      }
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
inline Variable embed_id(const Array& x, const Variable& W, std::optional<std::int64_t> ignore_label = {}) {
  return call(make_ref<nodes::EmbedID>(nodes::labels_of("embed_id", x), ignore_label), W);
}

}  // namespace dnn::inline DNN_ABI::inline functions
