/// A function applied to every example.
#pragma once

#include <functional>

#include "dnn/datasets/dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// The i-th example is `transform(dataset[i])`, computed anew at every access, by prefetching iterators in their
/// threads.
class TransformDataset : public Dataset {
 public:
  TransformDataset(DatasetRef dataset, std::function<Example(const Example&)> transform)
      : dataset_(std::move(dataset)), transform_(std::move(transform)) {
    if (!transform_) throw ArgumentError("[TransformDataset] the transform is empty");
  }

  std::int64_t size() const override { return dataset_.size(); }
  Example get(std::int64_t i) const override { return transform_(dataset_->get(i)); }

 private:
  DatasetRef dataset_;
  std::function<Example(const Example&)> transform_;
};

}  // namespace dnn::inline DNN_ABI::datasets
