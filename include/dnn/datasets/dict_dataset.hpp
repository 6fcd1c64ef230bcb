/// Several data sets side by side, by name.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "dnn/datasets/tuple_dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// `DictDataset({{"x", images}, {"t", labels}})`: as TupleDataset, but the fields have names, `batch["x"]`.
///
/// C++ cannot match them with the names of a function's parameters as Python's keyword arguments are: StandardUpdater
/// and Evaluator pass fields by position, in the order of the columns here. Either give the columns in the order in
/// which the model takes them (a Classifier: input, label), or take the whole batch and pick by name:
///
///     const auto loss = [&](const Batch& batch) { return model(batch["x"], batch["t"]); };
///     StandardUpdater updater{train_iter, optimizer, loss};
///
/// Throws ArgumentError when lengths differ, there is no column, or a column has other than one field.
class DictDataset : public Dataset {
 public:
  explicit DictDataset(std::initializer_list<std::pair<std::string, DatasetRef>> columns)
      : columns_(columns_of(columns)), names_(names_of(columns)) {
    for (const auto& [name, column] : columns) {
      if (column.size() == 0) continue;
      if (const auto fields = column[0].size(); fields != 1) {
        throw ArgumentError("[DictDataset] column '", name, "' has ", fields, " fields, not one");
      }
    }
  }

  std::int64_t size() const override { return columns_.size(); }
  Example get(std::int64_t i) const override {
    Example example = columns_.get(i);
    example.set_names(names_);
    return example;
  }
  std::optional<Batch> gather(std::span<const std::int64_t> indices) const override {
    auto batch = columns_.gather(indices);
    if (batch) batch->set_names(names_);
    return batch;
  }

 private:
  using Columns = std::initializer_list<std::pair<std::string, DatasetRef>>;
  static TupleDataset columns_of(Columns columns) {
    std::vector<DatasetRef> refs;
    for (const auto& [name, column] : columns) refs.push_back(column);
    return TupleDataset(std::move(refs));
  }
  static std::shared_ptr<const std::vector<std::string>> names_of(Columns columns) {
    std::vector<std::string> names;
    for (const auto& [name, column] : columns) names.push_back(name);
    return std::make_shared<const std::vector<std::string>>(std::move(names));
  }

  TupleDataset columns_;
  std::shared_ptr<const std::vector<std::string>> names_;
};

}  // namespace dnn::inline DNN_ABI::datasets
