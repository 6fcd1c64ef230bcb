/// Data sets: anything with a size and an i-th example.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/datasets/example.hpp"
#include "dnn/kernels/gather.hpp"

namespace dnn::inline DNN_ABI {

/// Derive from this, or wrap a function: `datasets::TransformDataset`. Data sets are values that are cheap to copy
/// (arrays share their elements) and, since prefetching iterators read them from several threads, const.
class Dataset {
 public:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset& operator=(const Dataset&) = default;
  virtual ~Dataset() = default;

  virtual std::int64_t size() const = 0;
  /// The i-th example, 0 <= i < size().
  virtual Example get(std::int64_t i) const = 0;
  /// Many examples at once, already joined, for data sets that have a faster way than one after the other.
  virtual std::optional<Batch> gather(std::span<const std::int64_t>) const { return std::nullopt; }

  /// The i-th example, counted from the end when negative. Throws IndexError.
  Example operator[](std::int64_t i) const {
    const auto n = size(), index = i < 0 ? i + n : i;
    if (index < 0 || index >= n) throw IndexError("[dataset] index ", i, " is out of range for ", n, " examples");
    return get(index);
  }
};

namespace datasets {

/// The rows of one array: examples of one field.
class ArrayDataset final : public Dataset {
 public:
  explicit ArrayDataset(Array rows) : rows_(std::move(rows)) { DNN_EXPECT("dataset", rows_.ndim() >= 1); }

  std::int64_t size() const override { return rows_.shape()[0]; }
  Example get(std::int64_t i) const override { return rows_[i]; }
  std::optional<Batch> gather(std::span<const std::int64_t> indices) const override {
    const auto n = size(), count = static_cast<std::int64_t>(indices.size());
    for (const auto i : indices) {
      if (i < 0 || i >= n) throw IndexError("[dataset] index ", i, " is out of range for ", n, " examples");
    }
    const UsingDevice here(rows_.device());
    Array out(rows_.shape().with(0, count), rows_.dtype());
    const Shape row{rows_.shape().without(0).size()};
    std::vector<std::int64_t> starts;
    for (const auto i : indices) starts.push_back(i * row[0]);
    const Array places = array_from(starts);
    kernels::gather_places(out.bytes(), rows_.bytes(), itemsize(rows_.dtype()),
                           {places.data<std::int64_t>(), count, row[0], row, {1}, {1}});
    return Batch(out);
  }

 private:
  Array rows_;
};

}  // namespace datasets

/// Shared ownership of any data set. Made implicitly from a data set, which is copied, from a shared pointer, or from
/// an Array, whose rows are then the examples.
class DatasetRef {
 public:
  template <std::derived_from<Dataset> D>
  DatasetRef(D dataset) : dataset_(std::make_shared<const D>(std::move(dataset))) {}
  template <std::derived_from<Dataset> D>
  DatasetRef(std::shared_ptr<D> dataset) : dataset_(std::move(dataset)) {
    if (!dataset_) throw ArgumentError("[dataset] a null pointer is not a data set");
  }
  DatasetRef(Array rows) : DatasetRef(datasets::ArrayDataset(std::move(rows))) {}

  const Dataset& operator*() const noexcept { return *dataset_; }
  const Dataset* operator->() const noexcept { return dataset_.get(); }
  std::int64_t size() const { return dataset_->size(); }
  Example operator[](std::int64_t i) const { return (*dataset_)[i]; }

 private:
  std::shared_ptr<const Dataset> dataset_;
};

namespace detail {
/// The arguments of a constructor that joins data sets; one `Self` alone is to be copied instead.
template <class Self, class... Parts>
concept DatasetsFor = (sizeof...(Parts) > 1 || !(std::same_as<Parts, Self> || ...)) &&
                      (std::convertible_to<Parts, DatasetRef> && ...);
}  // namespace detail

/// What an iterator hands out: which examples of a data set, read when they are asked for, or before by `fetch`.
/// `concat_examples` joins it into a Batch.
class Minibatch {
 public:
  Minibatch(DatasetRef dataset, std::vector<std::int64_t> indices)
      : dataset_(std::move(dataset)), indices_(std::move(indices)) {}
  /// Examples that are there already.
  Minibatch(std::vector<Example> examples) : examples_(std::move(examples)) {}

  std::size_t size() const noexcept { return dataset_ ? indices_.size() : examples_.size(); }
  /// Where the examples come from; empty when the minibatch was made of examples.
  std::vector<std::int64_t> indices() const { return indices_; }
  Example operator[](std::size_t i) const {
    if (i >= size()) throw IndexError("[minibatch] example ", i, " of ", size());
    return examples_.empty() ? (*dataset_)[indices_[i]] : examples_[i];
  }

  /// Reads the examples now, in this thread.
  void fetch() {
    if (joined_ || !examples_.empty() || !dataset_) return;
    joined_ = (*dataset_)->gather(indices_);
    if (joined_) return;
    for (const auto i : indices_) examples_.push_back((*dataset_)[i]);
  }
  /// The batch, where the data set can gather one by itself.
  std::optional<Batch> gathered() const {
    if (joined_ || !examples_.empty() || !dataset_) return joined_;
    return (*dataset_)->gather(indices_);
  }

 private:
  std::optional<DatasetRef> dataset_;
  std::vector<std::int64_t> indices_;
  std::vector<Example> examples_;
  std::optional<Batch> joined_;
};

}  // namespace dnn::inline DNN_ABI
