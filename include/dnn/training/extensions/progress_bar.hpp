/// How far the training is.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/training/json.hpp"
#include "dnn/training/text_output.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct ProgressBarOptions {
  std::optional<TrainingLength> training_length = std::nullopt;  ///< that of the stop trigger if not given
  std::int64_t update_interval = 100;                            ///< iterations
  int bar_length = 50;                                           ///< characters
  TextOutput out = {};
};

/// What a progress bar shows.
struct Progress {
  std::int64_t iteration;
  std::int64_t epoch;
  double epoch_detail;
  TrainingLength length;
  double iterations_per_second;
  double epochs_per_second;
};

namespace detail {

using namespace training::detail;

/// `label [####......] 40.00%`
inline std::string bar_line(std::string_view label, double rate, int bar_length) {
  const auto marks = static_cast<std::size_t>(rate * bar_length);
  return concat(label, " [", std::string(marks, '#'), std::string(static_cast<std::size_t>(bar_length) - marks, '.'),
                "] ", padded_left(formatted("%.2f%%", rate * 100), 6), "\n");
}

/// Python's `str(timedelta(seconds=...))`: `1 day, 0:01:47.660000`.
inline std::string duration_text(double seconds) {
  if (!(seconds < 1e11)) return "unknown";
  const auto microseconds = static_cast<std::int64_t>(std::nearbyint(seconds * 1e6));
  const auto whole = microseconds / 1'000'000, fraction = microseconds % 1'000'000, days = whole / 86400;
  std::string out;
  if (days > 0) out = concat(days, days == 1 ? " day, " : " days, ");
  out += concat(whole / 3600 % 24, ":", formatted("%02d", static_cast<int>(whole / 60 % 60)), ":",
                formatted("%02d", static_cast<int>(whole % 60)));
  if (fraction > 0) out += formatted(".%06d", static_cast<int>(fraction));
  return out;
}

}  // namespace detail

/// The four lines of a progress bar.
inline std::string progress_text(const Progress& progress, int bar_length = 50) {
  const bool in_epochs = progress.length.unit == "epoch";
  const double done = in_epochs ? progress.epoch_detail : static_cast<double>(progress.iteration);
  const double speed = in_epochs ? progress.epochs_per_second : progress.iterations_per_second;
  const double length = progress.length.period;
  std::string out = detail::bar_line("     total", std::clamp(done / length, 0.0, 1.0), bar_length);
  out += detail::bar_line("this epoch", progress.epoch_detail - std::floor(progress.epoch_detail), bar_length);
  out += concat(detail::padded_left(to_text(progress.iteration), 10), " iter, ", progress.epoch, " epoch / ",
                length == std::floor(length) ? detail::formatted("%.0f", length) : json::number_text(length), " ",
                progress.length.unit, "s\n");
  out += concat(detail::formatted("%10.5g", progress.iterations_per_second),
                " iters/sec. Estimated time to finish: ", detail::duration_text(std::max((length - done) / speed, 0.0)),
                ".\n");
  return out;
}

/// Shows the progress of the whole training and of the epoch, the speed and the time that is left. Says nothing when
/// the output is no terminal.
class ProgressBar : public Extension {
 public:
  explicit ProgressBar(ProgressBarOptions options = {}) : options_(std::move(options)) {
    if (options_.update_interval < 1 || options_.bar_length < 1) {
      throw ArgumentError("[ProgressBar] update_interval and bar_length must be at least 1");
    }
  }

  std::string default_name() const override { return "ProgressBar"; }

  void operator()(Trainer& trainer) override {
    const Updater& updater = trainer.updater();
    if (!options_.out.is_terminal() || updater.iteration() % options_.update_interval != 0) return;
    const auto length = options_.training_length ? options_.training_length : trainer.stop_trigger().training_length();
    if (!length) {
      throw ArgumentError(
          "[ProgressBar] the stop trigger has no training length: give one, {.training_length = {{20, \"epoch\"}}}");
    }
    const auto [iterations, epochs] = speed(updater.iteration(), updater.epoch_detail());
    const auto text =
        progress_text({updater.iteration(), updater.epoch(), updater.epoch_detail(), *length, iterations, epochs},
                      options_.bar_length);
    // Back to the head of the bar, where a report may be printed before the next one.
    options_.out.write("\033[J" + text + "\033[4A");
    shown_ = true;
  }
  void finalize() override {
    if (std::exchange(shown_, false)) options_.out.write("\033[J");
  }

 private:
  struct Moment {
    std::int64_t iteration;
    double epoch_detail;
    std::chrono::steady_clock::time_point time;
  };

  /// Per second, over the last 100 updates of the bar.
  std::pair<double, double> speed(std::int64_t iteration, double epoch_detail) {
    moments_.push_back({iteration, epoch_detail, std::chrono::steady_clock::now()});
    if (moments_.size() > 100) moments_.pop_front();
    const auto& old = moments_.front();
    const double span = std::chrono::duration<double>(moments_.back().time - old.time).count();
    constexpr double unknown = std::numeric_limits<double>::infinity();
    if (span <= 0) return {unknown, unknown};
    return {static_cast<double>(iteration - old.iteration) / span, (epoch_detail - old.epoch_detail) / span};
  }

  ProgressBarOptions options_;
  std::deque<Moment> moments_;
  bool shown_ = false;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
