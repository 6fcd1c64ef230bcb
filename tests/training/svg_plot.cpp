#include "dnn/training/svg_plot.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace dnn::training;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// The first thing that makes `text` malformed XML, or a picture that shows nonsense; empty for none.
std::string complaint(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&' && text.substr(i, 5) != "&amp;" && text.substr(i, 4) != "&lt;" && text.substr(i, 4) != "&gt;" &&
        text.substr(i, 6) != "&quot;") {
      return "a bare ampersand";
    }
    if (text[i] != '<') continue;
    const auto end = text.find('>', i);
    if (end == std::string::npos) return "a tag without end";
    const std::string tag = text.substr(i + 1, end - i - 1);
    if (tag.find('<') != std::string::npos) return "a tag in a tag";
    if (tag.find("nan") != std::string::npos || tag.find("inf") != std::string::npos) return "a coordinate in <" + tag;
    const std::string name = tag.substr(0, tag.find(' '));
    if (tag.front() == '/') {
      if (open.empty() || "/" + open.back() != name) return "unexpected <" + tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "unclosed " + open.back();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("plots are well-formed whatever the data", "[svg]") {
  const std::vector<std::vector<PlotSeries>> data = {
      {},
      {{"empty"}},
      {{"one point", {{1, 0.97}}}},
      {{"nothing finite", {{1, not_a_number}, {2, infinity}, {not_a_number, 3}}}},
      {{"constant", {{1, 5}, {2, 5}}}, {"zero", {{1, 0}, {2, 0}}}},
      {{"huge", {{0, -1.7e308}, {1e9, 1.7e308}}}},
      {{"tiny", {{0, 0}, {1, 5e-324}}}},
      {{"close", {{1, 1e15}, {2, 1e15 + 0.125}}}},
      {{"<a & \"b\">\n", {{1, 1}, {2, not_a_number}, {3, 2}}}},
      {{"band", {{1, 1}, {2, 2}}, {{1, 0, 2}, {2, not_a_number, 3}, {3, 1, 4}}}},
  };
  for (const auto& series : data) {
    for (const char marker : {'x', 'o', '+', ' '}) {
      const std::string svg = svg_plot(
          series, {.title = "<t>", .x_label = "x & y", .y_label = "y", .marker = marker, .grid = marker != 'o'});
      INFO((series.empty() ? "none" : series[0].name) << " " << marker);
      CHECK(complaint(svg).empty());
    }
  }
  CHECK(svg_plot({}).find("no data") != std::string::npos);
}

TEST_CASE("a value that is missing interrupts the line, and every value has its mark", "[svg]") {
  const std::string svg = svg_plot({{"a", {{1, 1}, {2, 2}, {3, not_a_number}, {4, 1}, {5, 2}}}});
  const auto line = svg.find("class=\"line s0\" d=\"");
  REQUIRE(line != std::string::npos);
  const auto d = svg.substr(line, svg.find("\"/>", line) - line);
  CHECK(count(d, "M") == 2);
  CHECK(count(d, "L") == 2);
  CHECK(count(svg, "class=\"mark s0\"") == 5);  // four points and the legend
  CHECK(count(svg, ">a</text>") == 1);
}

TEST_CASE("marks of axes are round numbers inside the range", "[svg]") {
  const std::pair<double, double> ranges[] = {{0, 1},          {0.95, 20.95}, {-3, 17},      {1e-7, 2e-7},
                                              {-1e300, 1e300}, {1200, 1201},  {0.1, 0.10001}};
  for (const auto& [low, high] : ranges) {
    const auto ticks = nice_ticks(low, high, 8);
    INFO(low << " " << high);
    CHECK(ticks.count >= 3);
    CHECK(ticks.count <= 10);
    CHECK(ticks.first >= low - 1e-6 * (high - low));
    CHECK(ticks[ticks.count - 1] <= high + 1e-6 * (high - low));
    const double mantissa = ticks.step / std::pow(10, std::floor(std::log10(ticks.step) + 1e-9));
    CHECK((mantissa == Approx(1) || mantissa == Approx(2) || mantissa == Approx(5)));
  }
  CHECK(nice_ticks(0.9, 3.1, 9, true).step == 1);
  CHECK(dnn::training::detail::tick_labels({0, 0.05, 4}) == std::vector<std::string>{"0.00", "0.05", "0.10", "0.15"});
  CHECK(dnn::training::detail::tick_labels({-2e6, 1e6, 3}) == std::vector<std::string>{"-2e6", "-1e6", "0"});
}
