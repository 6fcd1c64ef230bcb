/// At chosen points.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/training/triggers/interval_trigger.hpp"

namespace dnn::inline DNN_ABI::training::triggers {

/// Fires at each of `points`, in iterations or (fractions of) epochs, and is finished after the last. Throws
/// ArgumentError for another unit and for no points.
class ManualScheduleTrigger {
 public:
  ManualScheduleTrigger(std::vector<double> points, std::string_view unit) : points_(std::move(points)), unit_(unit) {
    detail::expect_unit("ManualScheduleTrigger", unit);
    if (points_.empty()) throw ArgumentError("[ManualScheduleTrigger] there are no points");
    last_ = *std::ranges::max_element(points_);
  }
  ManualScheduleTrigger(double point, std::string_view unit) : ManualScheduleTrigger(std::vector{point}, unit) {}

  bool operator()(Trainer& trainer) {
    const auto previous = previous_.exchange(trainer).in(unit_), now = previous_.in(unit_);
    const bool fires = std::ranges::any_of(points_, [&](double point) { return previous < point && point <= now; });
    if (fires && now >= last_) finished_ = true;
    return fires;
  }
  bool finished() const noexcept { return finished_; }
  void serialize(Serializer& s) {
    previous_.serialize(s);
    s("finished", finished_);
  }

 private:
  std::vector<double> points_;
  std::string unit_;
  double last_;
  detail::Progress previous_;
  bool finished_ = false;
};

}  // namespace dnn::inline DNN_ABI::training::triggers
