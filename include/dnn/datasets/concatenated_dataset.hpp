/// Data sets one after the other.
#pragma once

#include <vector>

#include "dnn/datasets/dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// All examples of the first data set, then those of the second, and so on.
class ConcatenatedDataset : public Dataset {
 public:
  template <class... Datasets>
    requires(dnn::detail::DatasetsFor<ConcatenatedDataset, Datasets...>)
  explicit ConcatenatedDataset(const Datasets&... parts) : parts_{DatasetRef(parts)...} {}
  explicit ConcatenatedDataset(std::vector<DatasetRef> parts) : parts_(std::move(parts)) {}

  std::int64_t size() const override {
    std::int64_t n = 0;
    for (const auto& part : parts_) n += part.size();
    return n;
  }
  Example get(std::int64_t i) const override {
    for (const auto& part : parts_) {
      if (i < part.size()) return part->get(i);
      i -= part.size();
    }
    throw IndexError("[ConcatenatedDataset] index past the end by ", i);
  }

 private:
  std::vector<DatasetRef> parts_;
};

}  // namespace dnn::inline DNN_ABI::datasets
