/// Several data sets side by side.
#pragma once

#include <vector>

#include "dnn/datasets/dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// The i-th example joins the i-th examples of all columns: `TupleDataset(images, labels)`. Columns are Arrays (their
/// rows) or data sets, all of one length. Throws ArgumentError when the lengths differ or there is no column.
class TupleDataset : public Dataset {
 public:
  template <class... Columns>
    requires(dnn::detail::DatasetsFor<TupleDataset, Columns...>)
  explicit TupleDataset(const Columns&... columns) : TupleDataset(std::vector<DatasetRef>{DatasetRef(columns)...}) {}
  explicit TupleDataset(std::vector<DatasetRef> columns) : columns_(std::move(columns)) {
    if (columns_.empty()) throw ArgumentError("[TupleDataset] there is no column");
    for (std::size_t i = 1; i < columns_.size(); ++i) {
      if (columns_[i].size() != columns_[0].size()) {
        throw ArgumentError("[TupleDataset] column ", i, " has ", columns_[i].size(), " examples, column 0 has ",
                            columns_[0].size());
      }
    }
  }

  std::int64_t size() const override { return columns_[0].size(); }
  Example get(std::int64_t i) const override {
    Example example;
    for (const auto& column : columns_) {
      for (const auto& array : column->get(i)) example.push_back(array);
    }
    return example;
  }
  std::optional<Batch> gather(std::span<const std::int64_t> indices) const override {
    Batch batch;
    for (const auto& column : columns_) {
      const auto part = column->gather(indices);
      if (!part) return std::nullopt;
      for (const auto& array : *part) batch.push_back(array);
    }
    return batch;
  }

 private:
  std::vector<DatasetRef> columns_;
};

}  // namespace dnn::inline DNN_ABI::datasets
