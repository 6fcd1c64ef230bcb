/// Observed values as a plot.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/training/json.hpp"
#include "dnn/training/summary.hpp"
#include "dnn/training/svg_plot.hpp"
#include "dnn/training/text_file.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct PlotReportOptions {
  std::string x_key = "iteration";  ///< "iteration", "epoch", or something observed
  Trigger trigger = {1, "epoch"};   ///< when a point is added
  std::string filename = "plot.svg";
  std::string title = {};
  char marker = 'x';  ///< 'x', 'o' or '+'; ' ' for none
  bool grid = true;
};

/// Plots means of observed values over the training and rewrites the file, an SVG, with every point:
///
///     trainer.extend(extensions::PlotReport{{"main/loss", "validation/main/loss"}, {.x_key = "epoch", .filename =
///     "loss.svg"}});
///
/// Called in every iteration; its own trigger decides when a point is made. Where a value was not observed, or is not
/// finite, its line has no point. Throws ArgumentError for a file name that does not end in `.svg`, and when x_key is
/// not observed.
class PlotReport : public Extension {
 public:
  explicit PlotReport(std::vector<std::string> y_keys, PlotReportOptions options = {}) : options_(std::move(options)) {
    if (!options_.filename.ends_with(".svg")) {
      throw ArgumentError("[PlotReport] plots are SVG files: \"", options_.filename, "\" does not end in .svg");
    }
    for (auto& key : y_keys) series_.push_back({std::move(key)});
  }

  std::string default_name() const override { return "PlotReport"; }

  void operator()(Trainer& trainer) override {
    for (const auto& [key, value] : trainer.observation()) {
      if (is_wanted(key)) summary_.add(key, value);
    }
    if (!trainer.is_before_training() && !options_.trigger(trainer)) return;

    const auto means = summary_.compute_mean();
    summary_.clear();
    const auto mean = [&](std::string_view key) -> const double* {
      for (const auto& [name, value] : means) {
        if (name == key) return &value;
      }
      return nullptr;
    };
    double x = 0;
    if (options_.x_key == "iteration") x = static_cast<double>(trainer.updater().iteration());
    else if (options_.x_key == "epoch") x = static_cast<double>(trainer.updater().epoch());
    else if (const auto* value = mean(options_.x_key)) x = *value;
    else throw ArgumentError("[PlotReport] the x_key '", options_.x_key, "' was not observed");
    bool any = false;
    for (auto& series : series_) {
      if (const auto* y = mean(series.name)) series.points.emplace_back(x, *y);
      any = any || !series.points.empty();
    }
    if (any) write_text_file(trainer.out() / options_.filename, svg());
  }

  /// The plot as it is now.
  std::string svg() const {
    const bool counted = options_.x_key == "iteration" || options_.x_key == "epoch";
    return svg_plot(series_, {.title = options_.title,
                              .x_label = options_.x_key,
                              .marker = options_.marker,
                              .grid = options_.grid,
                              .integer_x = counted});
  }

  /// Chainer's key for the points and, for a training that goes on in mid-epoch, what leads to the next point. A
  /// snapshot may lack any of them, one of Chainer's or of a training without the plot: the plot then starts there.
  void serialize(Serializer& s) override {
    json::Object data;
    for (const auto& series : series_) {
      json::Array points;
      for (const auto& [x, y] : series.points) points.emplace_back(json::Array{number(x), y});
      data.emplace_back(series.name, std::move(points));
    }
    const std::string key = "_plot_" + options_.filename;
    std::string text = json::dump(data);
    visit_unless_missing(s, key, text);
    visit_unless_missing(s, "_trigger", options_.trigger);
    if (!visit_unless_missing(s, "_summary", summary_)) summary_.clear();
    if (!s.is_loading()) return;
    const json::Value stored = json::parse(text, concat(s.path(), "/", key));
    for (auto& series : series_) series.points.clear();
    for (const auto& [name, points] : stored.object()) {
      for (auto& series : series_) {
        if (series.name != name) continue;
        for (const auto& point : points.array()) {
          if (point.array().size() != 2) throw SerializationError("[PlotReport] ", key, ": a point has two numbers");
          series.points.emplace_back(point.array()[0].number(), point.array()[1].number());
        }
      }
    }
  }

 private:
  template <class T>
  static bool visit_unless_missing(Serializer& s, std::string_view key, T& value) {
    try {
      s(key, value);
      return true;
    } catch (const SerializationError&) {
      if (!s.is_loading()) throw;
      return false;
    }
  }
  bool is_wanted(std::string_view key) const {
    if (key == options_.x_key) return true;
    for (const auto& series : series_) {
      if (series.name == key) return true;
    }
    return false;
  }
  /// Iterations and epochs are whole numbers in the file.
  json::Value number(double x) const {
    if (options_.x_key == "iteration" || options_.x_key == "epoch") return static_cast<std::int64_t>(x);
    return x;
  }

  PlotReportOptions options_;
  std::vector<PlotSeries> series_;
  DictSummary summary_;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
