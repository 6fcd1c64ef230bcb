/// Means and standard deviations of what was observed.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/autograd/reporter.hpp"
#include "dnn/autograd/serializer.hpp"
#include "dnn/training/json.hpp"

namespace dnn::inline DNN_ABI {

/// The weighted mean and standard deviation of numbers.
class Summary {
 public:
  void add(double value, double weight = 1) noexcept {
    x_ += weight * value;
    x2_ += weight * value * value;
    n_ += weight;
  }
  /// NaN before the first `add`.
  double mean() const noexcept { return x_ / n_; }
  /// The biased one, of the population.
  double standard_deviation() const noexcept { return std::sqrt(x2_ / n_ - mean() * mean()); }

  void serialize(Serializer& s) {
    s("_x", x_);
    s("_x2", x2_);
    // Chainer counts in integers as long as the weights are integers.
    if (auto count = static_cast<std::int64_t>(n_); !s.is_loading() && static_cast<double>(count) == n_) {
      s("_n", count);
    } else {
      s("_n", n_);
    }
  }

 private:
  double x_ = 0, x2_ = 0, n_ = 0;
};

/// A Summary per name. Each mean is over the observations that had the name.
class DictSummary {
 public:
  using Means = std::vector<std::pair<std::string, double>>;

  /// Values that are not scalars are left out. Those on a GPU are read when somebody asks for the means: the training
  /// loop does not wait for them.
  void add(const Observation& observation) {
    for (const auto& [name, value] : observation) add(name, value);
  }
  void add(std::string_view name, const ReportedValue& value) {
    if (!value.is_scalar()) return;
    if (!value.variable().defined() || value.variable().device() == Device{}) {
      return add(name, value.number(), value.weight());
    }
    of(name);  // has its place in the order from now on
    waiting_.emplace_back(name, value);
  }
  void add(std::string_view name, double value, double weight = 1) { of(name).add(value, weight); }

  /// By name, in the order in which the names first came.
  Means compute_mean() const {
    fetch();
    Means means;
    for (const auto& [name, summary] : summaries_) means.emplace_back(name, summary.mean());
    return means;
  }
  /// The means and, as `<name>.std`, the standard deviations.
  Means make_statistics() const {
    fetch();
    Means statistics;
    for (const auto& [name, summary] : summaries_) {
      statistics.emplace_back(name, summary.mean());
      statistics.emplace_back(name + ".std", summary.standard_deviation());
    }
    return statistics;
  }
  bool empty() const noexcept { return summaries_.empty(); }
  void clear() noexcept {
    summaries_.clear();
    waiting_.clear();
  }

  void serialize(Serializer& s) {
    fetch();
    training::json::Array names;
    for (const auto& item : summaries_) names.emplace_back(item.first);
    std::string text = training::json::dump(names);
    s("_names", text);
    if (s.is_loading()) {
      summaries_.clear();
      const training::json::Value stored = training::json::parse(text, s.path() + "/_names");
      for (const auto& name : stored.array()) summaries_.emplace_back(name.text(), Summary{});
    }
    // `_summaries/<index>/...`; without any there is no such key.
    std::size_t index = 0;
    for (auto& item : summaries_) s(concat("_summaries/", index++), item.second);
  }

 private:
  void fetch() const {
    for (const auto& [name, value] : std::exchange(waiting_, {})) of(name).add(value.number(), value.weight());
  }
  Summary& of(std::string_view name) const {
    for (auto& [known, summary] : summaries_) {
      if (known == name) return summary;
    }
    return summaries_.emplace_back(std::string(name), Summary{}).second;
  }

  mutable std::vector<std::pair<std::string, Summary>> summaries_;
  mutable std::vector<std::pair<std::string, ReportedValue>> waiting_;
};

}  // namespace dnn::inline DNN_ABI
