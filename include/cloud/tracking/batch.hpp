/// What a run logs: metrics, params and tags, as MLflow means them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cloud/core/clock.hpp"

namespace cloud {

/// One point of a series. Points are only ever added; NaN and infinities are values like others.
struct Metric {
  std::string key{};
  double value = 0;
  Milliseconds timestamp = 0;
  std::int64_t step = 0;
};

/// Set once: the same value again is accepted, another one is a ConflictError.
struct Param {
  std::string key{};
  std::string value{};
};

/// Set as often as wanted; the last value counts.
struct Tag {
  std::string key{};
  std::string value{};
};

/// What goes to the store in one step.
struct Batch {
  std::vector<Metric> metrics{};
  std::vector<Param> params{};
  std::vector<Tag> tags{};

  bool empty() const { return metrics.empty() && params.empty() && tags.empty(); }
};

}  // namespace cloud
