/// Joining examples into a batch.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "dnn/datasets/dataset.hpp"
#include "dnn/datasets/upload.hpp"

namespace dnn::inline DNN_ABI {

/// What fills up arrays that are smaller than others of their field: nothing (then shapes must agree), one number for
/// all fields, or one for each.
class Padding {
 public:
  Padding() = default;
  Padding(double value) : values_{value} {}
  Padding(std::initializer_list<double> values) : values_(values) {}

  explicit operator bool() const noexcept { return !values_.empty(); }
  double of(std::size_t field, std::size_t fields) const {
    if (values_.size() != 1 && values_.size() != fields) {
      throw ArgumentError("[concat_examples] ", values_.size(), " paddings for ", fields, " fields");
    }
    return values_.size() == 1 ? values_[0] : values_[field];
  }

 private:
  std::vector<double> values_;
};

struct ConcatOptions {
  std::optional<Device> device = std::nullopt;  ///< where the batch goes; as the examples if not given
  Padding padding = {};
};

namespace detail {

/// Copies `source` into the corner of the larger array of `shape` and the same dtype at `out`.
inline void copy_into_corner(std::byte* out, const Shape& shape, const Array& source) {
  if (source.size() == 0) return;
  const int ndim = source.ndim();
  const auto item = static_cast<std::int64_t>(itemsize(source.dtype()));
  const std::int64_t row = ndim == 0 ? 1 : source.shape()[ndim - 1], rows = source.size() / row;
  const auto strides = strides_of(shape);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t rest = r, offset = 0;
    for (int axis = ndim - 2; axis >= 0; --axis) {
      offset += rest % source.shape()[axis] * strides[static_cast<std::size_t>(axis)];
      rest /= source.shape()[axis];
    }
    std::memcpy(out + offset * item, source.bytes() + r * row * item, static_cast<std::size_t>(row * item));
  }
}

inline Array stack_field(std::span<const Example> examples, std::size_t field, const Padding& padding) {
  const Array& first = examples[0][field];
  DType dtype = first.dtype();
  Shape shape = first.shape();
  for (std::size_t i = 1; i < examples.size(); ++i) {
    const Array& array = examples[i][field];
    if (!padding) dtype = promote(dtype, array.dtype());
    if (array.ndim() != first.ndim() || (!padding && array.shape() != shape)) {
      throw ShapeError("[concat_examples] field ", field, ": example ", i, " is ", array, ", example 0 is ", first,
                       array.ndim() == first.ndim() ? "; .padding would fill them up" : "");
    }
    for (int axis = 0; axis < shape.ndim(); ++axis)
      shape = shape.with(axis, std::max(shape[axis], array.shape()[axis]));
  }
  const auto count = static_cast<std::int64_t>(examples.size());
  Array out(shape.with_inserted(0, count), dtype, Device{});
  if (padding) out.fill(padding.of(field, examples[0].size()));
  const std::size_t bytes = out.nbytes() / examples.size();
  for (std::size_t i = 0; i < examples.size(); ++i) {
    copy_into_corner(out.bytes() + i * bytes, shape, examples[i][field].to(dtype).to(Device{}));
  }
  return out.to(first.device());
}

inline Batch batch_to(Batch batch, const std::optional<Device>& device) {
  if (!device) return batch;
  Batch moved;
  for (const auto& array : batch) moved.push_back(array.to(*device));
  moved.set_names(batch.names());
  return moved;
}

}  // namespace detail

/// Joins the i-th fields of all examples along a new first axis: n fields of shape s make one of shape (n, s...). Names
/// stay. Without padding the dtypes are promoted as NumPy does; with it the field has the first example's dtype and, on
/// each axis, the largest size.
///
/// Throws ArgumentError for no examples or different numbers of fields, ShapeError for shapes that do not fit.
inline Batch concat_examples(std::span<const Example> examples, const ConcatOptions& options = {}) {
  if (examples.empty()) throw ArgumentError("[concat_examples] the batch is empty");
  for (const auto& example : examples) {
    DNN_EXPECT("concat_examples", example.size() == examples[0].size());
    const auto &names = example.names(), &expected = examples[0].names();
    if (names != expected && (!names || !expected || *names != *expected)) {
      throw ArgumentError("[concat_examples] the fields of the examples have different names");
    }
  }
  Batch batch;
  for (std::size_t field = 0; field < examples[0].size(); ++field) {
    batch.push_back(detail::stack_field(examples, field, options.padding));
  }
  batch.set_names(examples[0].names());
  return detail::batch_to(std::move(batch), options.device);
}
inline Batch concat_examples(const std::vector<Example>& examples, const ConcatOptions& options = {}) {
  return concat_examples(std::span<const Example>(examples), options);
}

/// The same for what an iterator yields. Data sets of arrays are gathered directly, without an object per example.
inline Batch concat_examples(const Minibatch& minibatch, const ConcatOptions& options = {}) {
  if (minibatch.size() == 0) throw ArgumentError("[concat_examples] the batch is empty");
  // What can be gathered has one shape: there is nothing to pad.
  if (auto batch = minibatch.gathered()) return detail::batch_to(std::move(*batch), options.device);
  std::vector<Example> examples;
  for (std::size_t i = 0; i < minibatch.size(); ++i) examples.push_back(minibatch[i]);
  return concat_examples(std::span<const Example>(examples), options);
}

/// How updaters and evaluators make a batch on a device out of what their iterator yields.
using Converter = std::function<Batch(const Minibatch&, Device)>;

/// `concat_examples` as a Converter.
inline Converter concat_converter(Padding padding = {}) {
  return [padding = std::move(padding), upload = Uploader()](const Minibatch& minibatch, Device device) mutable {
    return upload(concat_examples(minibatch, {.padding = padding}), device);
  };
}

}  // namespace dnn::inline DNN_ABI
