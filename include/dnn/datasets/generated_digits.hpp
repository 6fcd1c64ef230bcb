/// Handwritten-like digits drawn from scratch: the data set that is always there, without a download.
///
/// A digit is one of several styles of its class, given as pen strokes (control points that a Catmull-Rom spline passes
/// through). Every sample jitters the points, scales, slants and rotates the strokes, bends them with a smooth random
/// displacement field, then drags a pen of varying width and softness along them and adds noise. Like MNIST: 28 x 28
/// pixels, light ink on black, the ink's centre of mass near the middle.
///
/// Digit i is a function of (seed, i) alone. All geometry is in integers, so that the same bytes come out on every
/// platform, with every compiler flag and any number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "dnn/core/random.hpp"
#include "dnn/kernels/parallel_for.hpp"

namespace dnn::inline DNN_ABI::datasets {

namespace detail {

/// Coordinates are in 1/256 of a pixel, or of a hundredth of the glyph box before the affine map.
inline constexpr int unit = 256;

struct GlyphPoint {
  int x, y;
  friend bool operator==(const GlyphPoint&, const GlyphPoint&) = default;
};
/// A point given twice is a corner.
using Stroke = std::vector<GlyphPoint>;
using Glyph = std::vector<Stroke>;

/// The styles of each digit, in a box of 100 x 100, y downwards.
inline const std::array<std::vector<Glyph>, 10>& glyph_styles() {
  // clang-format off
  static const std::array<std::vector<Glyph>, 10> styles = {{
      {  // 0
          {{{55, 3}, {28, 14}, {14, 45}, {20, 80}, {45, 97}, {72, 86}, {86, 52}, {76, 16}, {52, 3}, {40, 6}}},
          {{{60, 5}, {40, 12}, {26, 40}, {26, 72}, {40, 95}, {60, 90}, {74, 60}, {74, 30}, {62, 8}, {46, 8}}},
          {{{70, 12}, {50, 3}, {25, 20}, {15, 55}, {28, 90}, {55, 97}, {80, 75}, {86, 42}, {72, 14}, {50, 10},
            {38, 18}}},
      },
      {  // 1
          {{{50, 2}, {50, 50}, {50, 98}}},
          {{{32, 24}, {54, 3}, {54, 3}, {52, 50}, {50, 98}}},
          {{{30, 22}, {52, 3}, {52, 3}, {51, 50}, {50, 97}}, {{28, 97}, {50, 97}, {74, 96}}},
          {{{58, 2}, {49, 50}, {46, 98}}},
      },
      {  // 2
          {{{18, 24}, {30, 8}, {54, 3}, {76, 16}, {74, 38}, {52, 66}, {18, 95}, {18, 95}, {50, 93}, {84, 94}}},
          {{{20, 20}, {42, 4}, {68, 10}, {74, 32}, {58, 62}, {34, 88}, {18, 92}, {14, 80}, {28, 74}, {50, 86},
            {70, 96}, {88, 90}}},
          {{{16, 28}, {26, 8}, {56, 2}, {78, 20}, {70, 46}, {44, 74}, {16, 96}, {16, 96}, {36, 86}, {60, 94},
            {86, 86}}},
      },
      {  // 3
          {{{20, 14}, {44, 3}, {70, 10}, {74, 28}, {60, 44}, {40, 48}, {40, 48}, {66, 54}, {80, 72}, {68, 92},
            {42, 98}, {16, 88}}},
          {{{20, 6}, {46, 6}, {74, 5}, {74, 5}, {44, 40}, {44, 40}, {70, 48}, {80, 70}, {66, 92}, {40, 98},
            {16, 88}}},
          {{{22, 12}, {50, 2}, {72, 14}, {68, 36}, {46, 48}, {37, 46}, {46, 43}, {70, 54}, {80, 76}, {62, 96},
            {36, 96}, {18, 84}}},
      },
      {  // 4
          {{{24, 5}, {20, 30}, {16, 54}, {16, 54}, {50, 54}, {86, 50}}, {{70, 4}, {66, 50}, {62, 98}}},
          {{{62, 98}, {65, 50}, {68, 3}, {68, 3}, {40, 32}, {12, 64}, {12, 64}, {50, 64}, {90, 62}}},
          {{{22, 6}, {17, 30}, {22, 50}, {46, 55}, {74, 46}}, {{78, 4}, {73, 50}, {64, 98}}},
      },
      {  // 5
          {{{28, 6}, {24, 26}, {22, 46}, {22, 46}, {46, 38}, {72, 48}, {80, 70}, {66, 92}, {40, 98}, {16, 90}},
            {{28, 7}, {54, 6}, {80, 4}}},
          {{{80, 5}, {54, 6}, {30, 8}, {30, 8}, {26, 28}, {22, 46}, {22, 46}, {50, 40}, {74, 52}, {78, 74},
            {60, 94},
            {34, 98}, {14, 88}}},
          {{{80, 8}, {52, 4}, {32, 16}, {28, 36}, {50, 47}, {72, 60}, {74, 80}, {52, 96}, {18, 92}}},
      },
      {  // 6
          {{{68, 4}, {42, 20}, {24, 48}, {18, 76}, {34, 96}, {60, 96}, {76, 80}, {68, 60}, {46, 56}, {26, 68},
            {20, 80}}},
          {{{56, 2}, {38, 30}, {25, 62}, {28, 88}, {50, 98}, {72, 88}, {76, 68}, {58, 54}, {36, 62}, {27, 80}}},
          {{{74, 10}, {52, 4}, {30, 26}, {18, 60}, {26, 90}, {52, 98}, {76, 84}, {74, 62}, {50, 54}, {26, 66}}},
      },
      {  // 7
          {{{16, 10}, {50, 8}, {82, 6}, {82, 6}, {62, 44}, {44, 98}}},
          {{{16, 8}, {50, 7}, {82, 6}, {82, 6}, {62, 46}, {46, 98}}, {{32, 52}, {54, 51}, {76, 48}}},
          {{{16, 28}, {18, 9}, {18, 9}, {50, 9}, {84, 6}, {84, 6}, {64, 36}, {51, 66}, {47, 98}}},
          {{{14, 16}, {44, 6}, {74, 8}, {76, 28}, {58, 62}, {50, 98}}},
      },
      {  // 8
          {{{70, 14}, {48, 3}, {26, 16}, {34, 36}, {56, 50}, {76, 72}, {66, 94}, {42, 97}, {22, 80}, {34, 58},
            {60, 42}, {76, 22}, {66, 8}}},
          {{{50, 48}, {28, 36}, {24, 16}, {46, 3}, {70, 10}, {72, 32}, {50, 48}, {26, 62}, {18, 84}, {42, 98},
            {70, 94}, {80, 72}, {62, 54}, {48, 46}}},
          {{{68, 8}, {46, 4}, {34, 20}, {42, 40}, {58, 58}, {66, 78}, {54, 97}, {36, 90}, {34, 70}, {50, 48},
            {68, 28}, {72, 8}}},
      },
      {  // 9
          {{{74, 20}, {56, 5}, {32, 10}, {20, 32}, {32, 52}, {56, 48}, {74, 22}, {74, 22}, {74, 60}, {66, 98}}},
          {{{72, 18}, {48, 3}, {24, 20}, {26, 44}, {50, 52}, {70, 36}, {74, 14}, {74, 14}, {78, 50}, {66, 86},
            {40, 98}, {20, 90}}},
          {{{76, 10}, {46, 3}, {22, 22}, {26, 46}, {50, 48}, {76, 10}, {76, 10}, {64, 52}, {50, 98}}},
      },
  }};
  // clang-format on
  return styles;
}

/// The random numbers of one digit, drawn one after the other.
class DigitRandom {
 public:
  DigitRandom(std::uint64_t seed, std::uint64_t digit) noexcept : seed_(seed), digit_(digit) {}

  /// Uniform in [low, high].
  int uniform(int low, int high) noexcept {
    const auto range = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<int>(word() * range >> 32);
  }
  /// Bell-shaped in [-spread, spread], standard deviation spread / 3.
  int bell(int spread) noexcept {
    return (uniform(-spread, spread) + uniform(-spread, spread) + uniform(-spread, spread)) / 3;
  }

 private:
  std::uint64_t word() noexcept {
    if (used_ == words_.size()) {
      words_ = philox(seed_, block_++, digit_);
      used_ = 0;
    }
    return words_[used_++];
  }

  std::uint64_t seed_, digit_, block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  std::size_t used_ = 4;
};

/// A smooth displacement of the plane: cubic B-splines over a coarse lattice of random vectors.
class ElasticField {
 public:
  ElasticField(DigitRandom& random, int spread) noexcept {
    for (auto& vector : lattice_) vector = {random.bell(spread), random.bell(spread)};
  }

  GlyphPoint operator()(GlyphPoint p) const noexcept {
    const auto [column, wx] = weights(p.x);
    const auto [row, wy] = weights(p.y);
    std::int64_t dx = 0, dy = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        const auto& vector = lattice_[(row + i) * side + column + j];
        dx += wy[i] * wx[j] * vector.x;
        dy += wy[i] * wx[j] * vector.y;
      }
    }
    return {p.x + static_cast<int>(dx / (weight_sum * weight_sum)),
            p.y + static_cast<int>(dy / (weight_sum * weight_sum))};
  }

 private:
  static constexpr std::size_t side = 7;
  static constexpr int spacing = 7 * unit;
  static constexpr std::int64_t weight_sum = 6 * 32 * 32 * 32;

  /// The first of the four lattice lines around a coordinate, and their weights.
  static std::pair<std::size_t, std::array<std::int64_t, 4>> weights(int coordinate) noexcept {
    const int c = std::clamp(coordinate, 0, 4 * spacing - 1);
    const std::int64_t t = 32 * (c % spacing) / spacing, s = 32 - t;
    return {static_cast<std::size_t>(c / spacing),
            {s * s * s, 3 * t * t * t - 6 * 32 * t * t + 4 * 32 * 32 * 32,
             3 * s * s * s - 6 * 32 * s * s + 4 * 32 * 32 * 32, t * t * t}};
  }

  std::array<GlyphPoint, side * side> lattice_{};
};

/// A point of the pen's way, with the pen's radius there.
struct PenPoint {
  GlyphPoint at;
  int radius;
  bool starts_stroke;
};

inline int catmull_rom(int p0, int p1, int p2, int p3, int step, int steps) noexcept {
  const std::int64_t t = step, n = steps;
  const std::int64_t cubic = -p0 + 3 * p1 - 3 * p2 + p3, square = 2 * p0 - 5 * p1 + 4 * p2 - p3, linear = p2 - p0;
  return p1 + static_cast<int>((cubic * t * t * t + square * t * t * n + linear * t * n * n) / (2 * n * n * n));
}

/// The way of the pen for one sample of a glyph, in 1/256 pixel, centred.
inline std::vector<PenPoint> trace_glyph(const Glyph& glyph, DigitRandom& random) {
  constexpr int steps = 5;
  // Glyph units to pixels, with scale, slant and rotation; in 1/65536. A glyph is about 19 pixels high.
  const int width = 12200 + random.bell(5600), height = 12200 + random.bell(4000);
  const int slant = 1200 + random.bell(8500), turn = random.bell(5600);
  const auto map = [&](GlyphPoint p) {
    const std::int64_t x = p.x - 50 * unit, y = p.y - 50 * unit;
    return GlyphPoint{14 * unit + static_cast<int>((x * width - y * (slant + turn)) / 65536),
                      14 * unit + static_cast<int>((x * turn + y * height) / 65536)};
  };
  const ElasticField bend(random, 8 * unit);
  const int radius = 5 * unit / 4 + random.bell(3 * unit / 4);

  std::vector<PenPoint> way;
  std::vector<GlyphPoint> points;
  for (const Stroke& stroke : glyph) {
    points.clear();
    for (std::size_t i = 0; i < stroke.size(); ++i) {
      if (i > 0 && stroke[i] == stroke[i - 1]) {
        points.push_back(points.back());
      } else {
        points.push_back(map({unit * stroke[i].x + random.bell(9 * unit), unit * stroke[i].y + random.bell(9 * unit)}));
      }
    }
    const int pressure = random.bell(radius / 3), last = static_cast<int>(points.size()) - 1;
    const auto point = [&](int i) { return points[static_cast<std::size_t>(std::clamp(i, 0, last))]; };
    for (int i = 0; i < last; ++i) {
      const GlyphPoint p0 = point(i - 1), p1 = point(i), p2 = point(i + 1), p3 = point(i + 2);
      if (p1 == p2) continue;
      for (int step = i == 0 ? 0 : 1; step <= steps; ++step) {
        const GlyphPoint at{catmull_rom(p0.x, p1.x, p2.x, p3.x, step, steps),
                            catmull_rom(p0.y, p1.y, p2.y, p3.y, step, steps)};
        const int progress = i * steps + step;
        way.push_back(
            {bend(at), radius + pressure * (2 * progress - last * steps) / (last * steps), i == 0 && step == 0});
      }
    }
  }

  // Centre of mass near the middle, but nothing over the edge.
  std::int64_t sum_x = 0, sum_y = 0, length = 0;
  GlyphPoint low = way[0].at, high = way[0].at;
  for (std::size_t i = 0; i < way.size(); ++i) {
    const GlyphPoint p = way[i].at;
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    if (way[i].starts_stroke) continue;
    const GlyphPoint q = way[i - 1].at;
    const std::int64_t l = std::abs(p.x - q.x) + std::abs(p.y - q.y);
    sum_x += l * (p.x + q.x) / 2;
    sum_y += l * (p.y + q.y) / 2;
    length += l;
  }
  const auto shift = [&](std::int64_t sum, int lowest, int highest) {
    const int wanted =
        14 * unit + random.bell(5 * unit / 2) - static_cast<int>(sum / std::max<std::int64_t>(length, 1));
    const int margin = 2 * unit;
    const int least = margin - lowest, most = 28 * unit - margin - highest;
    return least <= most ? std::clamp(wanted, least, most) : (least + most) / 2;
  };
  const int dx = shift(sum_x, low.x, high.x), dy = shift(sum_y, low.y, high.y);
  for (auto& p : way) p.at = {p.at.x + dx, p.at.y + dy};
  return way;
}

/// Lightens the pixels that a pen moving from `a` to `b` covers; `softness` is the width of its blurred edge.
inline void draw_segment(const PenPoint& a, const PenPoint& b, int softness,
                         std::span<std::uint8_t, 784> pixels) noexcept {
  const int reach = std::max(a.radius, b.radius) + softness;
  const auto pixel_of = [](int coordinate) { return std::clamp(coordinate / unit, 0, 27); };
  const int left = pixel_of(std::min(a.at.x, b.at.x) - reach), right = pixel_of(std::max(a.at.x, b.at.x) + reach);
  const int top = pixel_of(std::min(a.at.y, b.at.y) - reach), bottom = pixel_of(std::max(a.at.y, b.at.y) + reach);
  const int vx = b.at.x - a.at.x, vy = b.at.y - a.at.y;
  const std::int64_t square = std::max<std::int64_t>(std::int64_t{vx} * vx + std::int64_t{vy} * vy, 1);
  for (int row = top; row <= bottom; ++row) {
    for (int column = left; column <= right; ++column) {
      const int px = column * unit + unit / 2 - a.at.x, py = row * unit + unit / 2 - a.at.y;
      const std::int64_t along = std::int64_t{px} * vx + std::int64_t{py} * vy;
      const int t = static_cast<int>(std::clamp<std::int64_t>(along * unit / square, 0, unit));
      const int qx = px - vx * t / unit, qy = py - vy * t / unit;
      const int distance = static_cast<int>(std::sqrt(static_cast<double>(qx * qx + qy * qy)));
      const int radius = a.radius + (b.radius - a.radius) * t / unit;
      const int cover = std::clamp((radius - distance) * 255 / softness + 128, 0, 255);
      auto& pixel = pixels[static_cast<std::size_t>(row * 28 + column)];
      pixel = std::max(pixel, static_cast<std::uint8_t>(cover));
    }
  }
}

}  // namespace detail

/// Draws digit number `index` of the series `seed` into 28 x 28 `pixels` and returns its label.
inline std::uint8_t draw_digit(std::uint64_t seed, std::uint64_t index, std::span<std::uint8_t, 784> pixels) {
  detail::DigitRandom random(seed, index);
  const int label = random.uniform(0, 9);
  const auto& styles = detail::glyph_styles()[static_cast<std::size_t>(label)];
  const auto& glyph = styles[static_cast<std::size_t>(random.uniform(0, static_cast<int>(styles.size()) - 1))];
  const auto way = detail::trace_glyph(glyph, random);

  std::fill(pixels.begin(), pixels.end(), std::uint8_t{0});
  const int softness = random.uniform(detail::unit, 2 * detail::unit);
  for (std::size_t i = 0; i < way.size(); ++i) {
    if (!way[i].starts_stroke) detail::draw_segment(way[i - 1], way[i], softness, pixels);
  }

  const int ink = 255 - std::max(0, random.bell(90)), grain = random.uniform(0, 48);
  for (auto& pixel : pixels) {
    if (pixel == 0) continue;
    pixel = static_cast<std::uint8_t>(std::clamp(pixel * ink / 255 + random.bell(grain), 0, 255));
  }
  for (int speck = random.uniform(0, 6); speck > 0; --speck) {
    auto& pixel = pixels[static_cast<std::size_t>(random.uniform(0, 783))];
    pixel = static_cast<std::uint8_t>(std::min(255, pixel + random.uniform(20, 120)));
  }
  return static_cast<std::uint8_t>(label);
}

struct GeneratedDigits {
  std::vector<std::uint8_t> images;  ///< 784 to a digit
  std::vector<std::uint8_t> labels;
};

/// Digits number `first` to `first + count - 1` of the series `seed`.
inline GeneratedDigits generate_digits(std::int64_t count, std::uint64_t seed = 0, std::uint64_t first = 0) {
  GeneratedDigits digits;
  digits.images.resize(784 * static_cast<std::size_t>(count));
  digits.labels.resize(static_cast<std::size_t>(count));
  kernels::parallel_for(count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      digits.labels[i] = draw_digit(seed, first + i, std::span<std::uint8_t, 784>(digits.images.data() + 784 * i, 784));
    }
  });
  return digits;
}

}  // namespace dnn::inline DNN_ABI::datasets
