/// How parameters and gradients are distributed, over the training.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/autograd/reporter.hpp"
#include "dnn/links/link.hpp"
#include "dnn/training/json.hpp"
#include "dnn/training/svg_plot.hpp"
#include "dnn/training/text_file.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

/// Statistics of the elements of an array; NaN where there are no elements, or a NaN among them.
struct ArrayStatistics {
  /// In percent; without the ends, -3, -2, -1, 0, 1, 2 and 3 standard deviations of a normal distribution.
  static constexpr std::array<double, 7> percentages = {0.13, 2.28, 15.87, 50, 84.13, 97.72, 99.87};

  double mean, standard_deviation, min, max;
  std::int64_t zeros;
  std::array<double, 7> percentiles;  ///< interpolated linearly
};

inline ArrayStatistics statistics_of(const Array& array) {
  const Array as_double = array.to(Device{}).to(float64);
  const auto span = as_double.span<double>();
  std::vector<double> values(span.begin(), span.end());
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  ArrayStatistics out{nan, nan, nan, nan, std::count(values.begin(), values.end(), 0.0), {}};
  out.percentiles.fill(nan);
  if (values.empty() || std::ranges::any_of(values, [](double v) { return std::isnan(v); })) return out;

  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  out.mean = sum / n;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.standard_deviation = std::sqrt(squares / n);
  std::ranges::sort(values);
  out.min = values.front();
  out.max = values.back();
  for (std::size_t i = 0; i < out.percentiles.size(); ++i) {
    const double place = ArrayStatistics::percentages[i] / 100 * (n - 1);
    const auto below = static_cast<std::size_t>(place), above = std::min(below + 1, values.size() - 1);
    out.percentiles[i] = values[below] + (place - std::floor(place)) * (values[above] - values[below]);
  }
  return out;
}

struct VariableStatisticsOptions {
  bool report_data = true;
  bool report_grad = true;
  std::string prefix = {};                                 ///< of the reported names
  std::optional<std::string> filename = "statistics.svg";  ///< a plot of means and standard deviations; none: no file
};

/// Reports statistics of all parameters of a model and of their gradients, as
/// `<prefix>/l1/W/data/mean`, `.../std`, `min`, `max`, `zeros` and `percentile/0` to `percentile/6`, and plots the
/// means with a band of one standard deviation: the data in `filename`, the gradients in `<filename>_grad`.
///
/// Every epoch by default; the values are those of that moment. The model must outlive it.
class VariableStatistics : public Extension {
 public:
  explicit VariableStatistics(SerializableRef model, VariableStatisticsOptions options = {})
      : model_(model), options_(std::move(options)) {
    if (options_.filename && !options_.filename->ends_with(".svg")) {
      throw ArgumentError("[VariableStatistics] plots are SVG files: \"", *options_.filename,
                          "\" does not end in .svg");
    }
  }

  std::string default_name() const override { return "VariableStatistics"; }
  Trigger default_trigger() const override { return {1, "epoch"}; }
  int default_priority() const override { return priority_writer; }

  void operator()(Trainer& trainer) override {
    const auto iteration = static_cast<double>(trainer.updater().iteration());
    for (const auto& [path, parameter] : dnn::detail::namedparams(model_)) {
      if (!parameter.is_initialized()) continue;
      if (options_.report_data) observe(data_, path, "data", parameter.array(), iteration);
      const Array gradient = parameter.grad();
      if (options_.report_grad && gradient.defined()) observe(grad_, path, "grad", gradient, iteration);
    }
    if (!options_.filename) return;
    const std::string stem = options_.filename->substr(0, options_.filename->size() - 4);
    if (!data_.empty()) write_text_file(trainer.out() / *options_.filename, plot(data_, "parameters"));
    if (!grad_.empty()) write_text_file(trainer.out() / (stem + "_grad.svg"), plot(grad_, "gradients"));
  }

  void serialize(Serializer& s) override {
    serialize_points(s, "_data", data_);
    serialize_points(s, "_grad", grad_);
  }

 private:
  /// Iteration, mean and standard deviation.
  using Points = std::vector<std::array<double, 3>>;
  using Lines = std::vector<std::pair<std::string, Points>>;

  void observe(Lines& lines, const std::string& path, std::string_view kind, const Array& array, double iteration) {
    const ArrayStatistics statistics = statistics_of(array);
    const auto base =
        concat(options_.prefix.empty() ? std::string_view(path).substr(1) : options_.prefix + path, "/", kind, "/");
    report({{base + "mean", statistics.mean},
            {base + "std", statistics.standard_deviation},
            {base + "min", statistics.min},
            {base + "max", statistics.max},
            {base + "zeros", statistics.zeros}});
    for (std::size_t i = 0; i < statistics.percentiles.size(); ++i) {
      report({{concat(base, "percentile/", i), statistics.percentiles[i]}});
    }
    if (options_.filename) line(lines, path).push_back({iteration, statistics.mean, statistics.standard_deviation});
  }
  static Points& line(Lines& lines, const std::string& path) {
    for (auto& [known, points] : lines) {
      if (known == path) return points;
    }
    return lines.emplace_back(path, Points{}).second;
  }
  static std::string plot(const Lines& lines, std::string title) {
    std::vector<PlotSeries> series;
    for (const auto& [path, points] : lines) {
      auto& one = series.emplace_back(PlotSeries{path});
      for (const auto& [x, mean, deviation] : points) {
        one.points.emplace_back(x, mean);
        one.band.push_back({x, mean - deviation, mean + deviation});
      }
    }
    return svg_plot(series, {.title = std::move(title),
                             .x_label = "iteration",
                             .y_label = "mean and standard deviation",
                             .marker = ' ',
                             .integer_x = true});
  }
  static void serialize_points(Serializer& s, std::string_view key, Lines& lines) {
    json::Object object;
    for (const auto& [path, points] : lines) {
      json::Array list;
      for (const auto& [x, mean, deviation] : points) list.emplace_back(json::Array{x, mean, deviation});
      object.emplace_back(path, std::move(list));
    }
    std::string text = json::dump(object);
    s(key, text);
    if (!s.is_loading()) return;
    Lines loaded;
    const json::Value stored = json::parse(text, concat(s.path(), "/", key));
    for (const auto& [path, list] : stored.object()) {
      auto& points = loaded.emplace_back(path, Points{}).second;
      for (const auto& point : list.array()) {
        const auto& numbers = point.array();
        if (numbers.size() != 3) throw SerializationError("[VariableStatistics] ", key, ": a point has three numbers");
        points.push_back({numbers[0].number(), numbers[1].number(), numbers[2].number()});
      }
    }
    lines = std::move(loaded);
  }

  SerializableRef model_;
  VariableStatisticsOptions options_;
  Lines data_, grad_;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
