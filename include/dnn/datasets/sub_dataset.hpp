/// A part of a data set.
#pragma once

#include <memory>
#include <vector>

#include "dnn/datasets/dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// An order of examples, shared by the parts that are cut out of it.
using Order = std::shared_ptr<const std::vector<std::int64_t>>;

/// Examples `start` to `finish - 1` of `dataset`, or of `dataset` in `order`: the i-th example is
/// `dataset[order[start + i]]`. Throws ArgumentError when the part overruns the data set or `order` has another length,
/// IndexError when an entry of `order` is not an index.
class SubDataset : public Dataset {
 public:
  SubDataset(DatasetRef dataset, std::int64_t start, std::int64_t finish, Order order = nullptr)
      : dataset_(std::move(dataset)), start_(start), finish_(finish), order_(std::move(order)) {
    DNN_EXPECT("SubDataset", start >= 0);
    DNN_EXPECT("SubDataset", start <= finish);
    DNN_EXPECT("SubDataset", finish <= dataset_.size());
    if (!order_) return;
    const auto order_size = static_cast<std::int64_t>(order_->size());
    DNN_EXPECT("SubDataset", order_size == dataset_.size());
    for (const auto i : *order_) {
      if (i < 0 || i >= order_size) throw IndexError("[SubDataset] order has index ", i, " of ", order_size);
    }
  }
  SubDataset(DatasetRef dataset, std::int64_t start, std::int64_t finish, std::vector<std::int64_t> order)
      : SubDataset(std::move(dataset), start, finish,
                   std::make_shared<const std::vector<std::int64_t>>(std::move(order))) {}

  std::int64_t size() const override { return finish_ - start_; }
  Example get(std::int64_t i) const override { return dataset_->get(place(i)); }
  std::optional<Batch> gather(std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> places;
    places.reserve(indices.size());
    for (const auto i : indices) {
      if (i < 0 || i >= size()) throw IndexError("[dataset] index ", i, " is out of range for ", size(), " examples");
      places.push_back(place(i));
    }
    return dataset_->gather(places);
  }

 private:
  std::int64_t place(std::int64_t i) const {
    return order_ ? (*order_)[static_cast<std::size_t>(start_ + i)] : start_ + i;
  }

  DatasetRef dataset_;
  std::int64_t start_, finish_;
  Order order_;
};

}  // namespace dnn::inline DNN_ABI::datasets
