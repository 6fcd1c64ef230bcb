/// Line plots as SVG: one text that every browser shows, in light and in dark.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::training {

/// A line and its name in the legend.
struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points = {};  ///< the line is interrupted where a value is not finite
  /// Paints the area between pairs of points (x, low), (x, high) instead, behind the lines.
  std::vector<std::array<double, 3>> band = {};
};

struct PlotOptions {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  char marker = 'x';  ///< 'x', 'o' or '+' at every point; ' ' for none
  bool grid = true;
  bool integer_x = false;  ///< ticks of the x axis at whole numbers only
};

/// The marks of an axis.
struct Ticks {
  double first, step;
  int count;

  double operator[](int i) const { return first + i * step; }
};

/// About `wanted` round numbers (1, 2 or 5 times a power of ten) that cover [low, high] from inside.
inline Ticks nice_ticks(double low, double high, int wanted, bool integer = false) {
  const double raw = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(raw)));
  const double mantissa = raw / power;
  double step = (mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 5 ? 5 : 10) * power;
  if (integer) step = std::max(step, 1.0);
  // A little slack: rounding must not lose the marks at the ends.
  const double first = std::ceil(low / step - 1e-9) * step;
  const int count = static_cast<int>(std::floor((high - first) / step + 1e-9)) + 1;
  return {first, step, std::max(count, 1)};
}

namespace detail {

inline std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20) out += ' ';
    else out += c;
  }
  return out;
}

/// A coordinate: two decimals are plenty.
inline std::string pixel(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", value);
  return buffer;
}

/// The labels of all ticks, in one style: with as many decimals as the step has, or with an exponent.
inline std::vector<std::string> tick_labels(const Ticks& ticks) {
  const double last = ticks[ticks.count - 1], largest = std::max(std::abs(ticks.first), std::abs(last));
  const int step_exponent = static_cast<int>(std::floor(std::log10(ticks.step) + 1e-9));
  const bool exponent = largest >= 1e6 || step_exponent < -5;
  std::vector<std::string> labels;
  for (int i = 0; i < ticks.count; ++i) {
    double value = ticks[i];
    if (std::abs(value) < ticks.step * 1e-6) value = 0;
    char buffer[64];
    if (!exponent) {
      std::snprintf(buffer, sizeof buffer, "%.*f", std::max(0, -step_exponent), value);
      labels.emplace_back(buffer);
      continue;
    }
    const int own = value == 0 ? step_exponent : static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
    std::snprintf(buffer, sizeof buffer, "%.*e", std::clamp(own - step_exponent, 0, 15), value);
    std::string text = buffer;
    // 2.0e+06 -> 2.0e6
    if (const auto e = text.find('e'); e != std::string::npos) {
      std::string digits = text.substr(e + 1);
      const bool negative = digits.front() == '-';
      digits.erase(0, std::min(digits.find_first_not_of("+-0"), digits.size() - 1));
      text = text.substr(0, e) + 'e' + (negative ? "-" : "") + digits;
    }
    labels.push_back(value == 0 ? "0" : text);
  }
  return labels;
}

/// The interval of the finite values, a little wider; [0, 1] without any.
class PlotRange {
 public:
  void add(double value) {
    if (!std::isfinite(value)) return;
    value = std::clamp(value, -limit, limit);
    low_ = empty_ ? value : std::min(low_, value);
    high_ = empty_ ? value : std::max(high_, value);
    empty_ = false;
  }
  bool empty() const noexcept { return empty_; }
  double low() const noexcept { return low_; }
  double high() const noexcept { return high_; }
  void widen() {
    if (empty_) low_ = 0, high_ = 1;
    // Also when only rounding keeps the ends apart, or numbers so small that their logarithms are no longer exact.
    const double magnitude = std::max(std::abs(low_), std::abs(high_));
    if (high_ - low_ <= std::max(1e-12 * magnitude, 1e-290)) {
      const double half = magnitude > 1e-280 ? 0.1 * magnitude : 1;
      low_ -= half;
      high_ += half;
    }
    const double margin = 0.05 * (high_ - low_);
    low_ -= margin;
    high_ += margin;
  }

 private:
  // Differences must not overflow.
  static constexpr double limit = 1e300;
  double low_ = 0, high_ = 1;
  bool empty_ = true;
};

}  // namespace detail

/// The plot as an SVG document: axes with round marks, grid, title, and the legend at the right.
inline std::string svg_plot(const std::vector<PlotSeries>& series, const PlotOptions& options = {}) {
  using detail::pixel, detail::xml_escaped;
  constexpr double plot_width = 560, plot_height = 360, character = 7.2;
  constexpr std::array<std::string_view, 10> light = {"#1f77b4", "#d95f02", "#2ca02c", "#d62728", "#7b52ab",
                                                      "#8c564b", "#c2499d", "#6b6b6b", "#8a8b00", "#0f97a6"};
  constexpr std::array<std::string_view, 10> dark = {"#6cb6ff", "#ffa657", "#7ee787", "#ff7b72", "#d2a8ff",
                                                     "#d7a88f", "#ff9bce", "#b8b8b8", "#dbdc5c", "#56d4dd"};

  detail::PlotRange x_range, y_range;
  for (const auto& s : series) {
    for (const auto& [x, y] : s.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      x_range.add(x);
      y_range.add(y);
    }
    for (const auto& [x, low, high] : s.band) {
      if (!std::isfinite(x) || !std::isfinite(low) || !std::isfinite(high)) continue;
      x_range.add(x);
      y_range.add(low);
      y_range.add(high);
    }
  }
  const bool nothing = x_range.empty();
  x_range.widen();
  y_range.widen();
  const Ticks x_ticks = nice_ticks(x_range.low(), x_range.high(), 9, options.integer_x);
  const Ticks y_ticks = nice_ticks(y_range.low(), y_range.high(), 7);
  const auto x_labels = detail::tick_labels(x_ticks), y_labels = detail::tick_labels(y_ticks);

  std::size_t longest_label = 0, longest_name = 0;
  for (const auto& label : y_labels) longest_label = std::max(longest_label, label.size());
  for (const auto& s : series) longest_name = std::max(longest_name, s.name.size());
  const double left = 24 + character * static_cast<double>(longest_label) + (options.y_label.empty() ? 0 : 22);
  const double top = options.title.empty() ? 16 : 44, bottom = top + plot_height, right = left + plot_width;
  const double legend = series.empty() ? 0 : 56 + character * static_cast<double>(longest_name);
  const double legend_height = 20.0 * static_cast<double>(series.size());
  const double width = right + 16 + legend;
  const double height = std::max(bottom + (options.x_label.empty() ? 34 : 58), top + legend_height + 16);

  const auto px = [&](double x) { return left + (x - x_range.low()) / (x_range.high() - x_range.low()) * plot_width; };
  const auto py = [&](double y) {
    const double part = (std::clamp(y, -1e300, 1e300) - y_range.low()) / (y_range.high() - y_range.low());
    return bottom - part * plot_height;
  };

  std::string out =
      concat("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", pixel(width), "\" height=\"", pixel(height),
             "\" viewBox=\"0 0 ", pixel(width), " ", pixel(height), "\" role=\"img\">\n<style>\n",
             "text { font: 12px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328; }\n",
             ".title { font-size: 15px; font-weight: bold; }\n",
             ".paper { fill: #ffffff; }\n.grid { stroke: #dfe3e8; stroke-width: 1; }\n",
             ".frame { fill: none; stroke: #57606a; stroke-width: 1; }\n",
             ".line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }\n",
             ".mark { fill: none; stroke-width: 1.4; }\n.band { stroke: none; fill-opacity: 0.18; }\n");
  const std::size_t colours = std::min(series.size(), light.size());
  for (std::size_t i = 0; i < colours; ++i) {
    out += concat(".s", i, " { stroke: ", light[i], "; }\n.band.s", i, " { fill: ", light[i], "; stroke: none; }\n");
  }
  out +=
      "@media (prefers-color-scheme: dark) {\ntext { fill: #e6edf3; }\n.paper { fill: #0d1117; }\n"
      ".grid { stroke: #2b323b; }\n.frame { stroke: #8b949e; }\n";
  for (std::size_t i = 0; i < colours; ++i) {
    out += concat(".s", i, " { stroke: ", dark[i], "; }\n.band.s", i, " { fill: ", dark[i], "; stroke: none; }\n");
  }
  out += "}\n</style>\n";
  if (!options.title.empty()) out += concat("<title>", xml_escaped(options.title), "</title>\n");
  out += concat("<rect class=\"paper\" width=\"", pixel(width), "\" height=\"", pixel(height), "\"/>\n");

  const auto line = [&](std::string_view kind, double x1, double y1, double x2, double y2) {
    out +=
        concat("<path class=\"", kind, "\" d=\"M", pixel(x1), " ", pixel(y1), "L", pixel(x2), " ", pixel(y2), "\"/>\n");
  };
  const auto text = [&](double x, double y, std::string_view anchor, std::string_view content,
                        std::string_view more = "") {
    out += concat("<text x=\"", pixel(x), "\" y=\"", pixel(y), "\" text-anchor=\"", anchor, "\"", more, ">",
                  xml_escaped(content), "</text>\n");
  };

  // Labels that would touch are left out, every second, third, ...
  double label_width = 0;
  for (const auto& label : x_labels)
    label_width = std::max(label_width, character * static_cast<double>(label.size()) + 12);
  const double spacing = x_ticks.count > 1 ? px(x_ticks[1]) - px(x_ticks[0]) : plot_width;
  const int every = std::max(1, static_cast<int>(std::ceil(label_width / spacing)));
  for (int i = 0; i < x_ticks.count; ++i) {
    const double x = px(x_ticks[i]);
    if (options.grid) line("grid", x, top, x, bottom);
    line("frame", x, bottom, x, bottom + 4);
    if (i % every == 0) text(x, bottom + 18, "middle", x_labels[static_cast<std::size_t>(i)]);
  }
  for (int i = 0; i < y_ticks.count; ++i) {
    const double y = py(y_ticks[i]);
    if (options.grid) line("grid", left, y, right, y);
    line("frame", left - 4, y, left, y);
    text(left - 8, y + 4, "end", y_labels[static_cast<std::size_t>(i)]);
  }

  const auto colour = [&](std::size_t i) { return concat("s", i % light.size()); };
  for (std::size_t i = 0; i < series.size(); ++i) {
    std::string there, back;
    for (const auto& [x, low, high] : series[i].band) {
      if (!std::isfinite(x) || !std::isfinite(low) || !std::isfinite(high)) continue;
      there += concat(there.empty() ? "M" : "L", pixel(px(x)), " ", pixel(py(high)));
      back.insert(0, concat("L", pixel(px(x)), " ", pixel(py(low))));
    }
    if (!there.empty()) out += concat("<path class=\"band ", colour(i), "\" d=\"", there, back, "Z\"/>\n");
  }
  const auto mark = [&](std::size_t i, double x, double y, std::string_view tip) {
    std::string d;
    if (options.marker == 'o') {
      d = concat("M", pixel(x - 3), " ", pixel(y), "a3 3 0 1 0 6 0a3 3 0 1 0 -6 0");
    } else if (options.marker == '+') {
      d = concat("M", pixel(x - 4), " ", pixel(y), "h8M", pixel(x), " ", pixel(y - 4), "v8");
    } else {
      d = concat("M", pixel(x - 3.5), " ", pixel(y - 3.5), "l7 7m0 -7l-7 7");
    }
    out += concat("<path class=\"mark ", colour(i), "\" d=\"", d, "\">",
                  tip.empty() ? std::string() : concat("<title>", xml_escaped(tip), "</title>"), "</path>\n");
  };
  constexpr std::size_t most_marks = 200;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const auto& points = series[i].points;
    const auto drawable = [&](std::size_t k) {
      return std::isfinite(points[k].first) && std::isfinite(points[k].second);
    };
    std::string d;
    bool pen_down = false;
    for (std::size_t k = 0; k < points.size(); ++k) {
      if (drawable(k)) d += concat(pen_down ? "L" : "M", pixel(px(points[k].first)), " ", pixel(py(points[k].second)));
      pen_down = drawable(k);
    }
    if (!d.empty()) out += concat("<path class=\"line ", colour(i), "\" d=\"", d, "\"/>\n");
    if (options.marker == ' ' || points.size() > most_marks) continue;
    for (std::size_t k = 0; k < points.size(); ++k) {
      if (!drawable(k)) continue;
      const auto [x, y] = points[k];
      mark(i, px(x), py(y),
           concat(series[i].name, ": ", y, options.x_label.empty() ? "" : concat(" (", options.x_label, " ", x, ")")));
    }
  }
  out += concat("<rect class=\"frame\" x=\"", pixel(left), "\" y=\"", pixel(top), "\" width=\"", pixel(plot_width),
                "\" height=\"", pixel(plot_height), "\"/>\n");

  if (nothing) text(left + plot_width / 2, top + plot_height / 2, "middle", "no data");
  if (!options.title.empty()) text(left + plot_width / 2, 26, "middle", options.title, " class=\"title\"");
  if (!options.x_label.empty()) text(left + plot_width / 2, bottom + 42, "middle", options.x_label);
  if (!options.y_label.empty()) {
    const double y = top + plot_height / 2;
    text(18, y, "middle", options.y_label, concat(" transform=\"rotate(-90 18 ", pixel(y), ")\""));
  }
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double y = top + 10 + 20.0 * static_cast<double>(i), x = right + 16;
    if (!series[i].band.empty()) {
      out += concat("<rect class=\"band ", colour(i), "\" x=\"", pixel(x), "\" y=\"", pixel(y - 6),
                    "\" width=\"28\" height=\"12\"/>\n");
    }
    if (!series[i].points.empty() || series[i].band.empty()) {
      line(concat("line ", colour(i)), x, y, x + 28, y);
      if (options.marker != ' ') mark(i, x + 14, y, "");
    }
    text(x + 36, y + 4, "start", series[i].name);
  }
  return out + "</svg>\n";
}

}  // namespace dnn::inline DNN_ABI::training
