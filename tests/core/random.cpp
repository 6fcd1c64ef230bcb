#include "dnn/core/random.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "catch.hpp"

using namespace dnn;

TEST_CASE("philox gives the published test vectors", "[core]") {
  // Random123, kat_vectors: philox4x32 with 10 rounds.
  const auto words = [](std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    return std::array<std::uint32_t, 4>{a, b, c, d};
  };
  CHECK(philox(0, 0, 0) == words(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const auto ones = ~std::uint64_t{0};
  CHECK(philox(ones, ones, ones) == words(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  CHECK(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
        words(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST_CASE("draws do not overlap, and a restored generator repeats", "[core]") {
  RandomGenerator generator(7);
  const auto first = generator.draw(3), second = generator.draw(1);
  CHECK(first.position == 0);
  CHECK(second.position == 3);
  CHECK(generator.seed() == 7);
  const auto position = generator.position();
  const auto third = generator.draw(5);
  generator.restore(7, position);
  CHECK(generator.draw(5).block(2) == third.block(2));
  CHECK(first.block(3) == second.block(0));
}

TEST_CASE("uniform numbers are in range and have the right moments", "[core]") {
  const RandomStream stream{123, 0};
  constexpr int n = 100000;
  double sum = 0, squares = 0, low = 1, high = 0, normal_sum = 0, normal_squares = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const auto k = static_cast<std::uint64_t>(i);
    const double u = stream.uniform_double(k);
    const auto f = static_cast<double>(stream.uniform_float(k));
    low = std::min({low, u, f});
    high = std::max({high, u, f});
    sum += u;
    squares += f * f;
    const auto [a, b] = stream.normal_pair(k);
    normal_sum += a + b;
    normal_squares += a * a + b * b;
    fourth += a * a * a * a + b * b * b * b;
  }
  CHECK(low >= 0);
  CHECK(high < 1);
  // Five standard deviations.
  CHECK(std::abs(sum / n - 0.5) < 0.0046);
  CHECK(std::abs(squares / n - 1.0 / 3) < 0.0048);
  CHECK(std::abs(normal_sum / (2 * n)) < 0.0112);
  CHECK(std::abs(normal_squares / (2 * n) - 1) < 0.0159);
  CHECK(std::abs(fourth / (2 * n) - 3) < 0.11);
}

TEST_CASE("a permutation holds every index once and depends on seed and index only", "[core]") {
  for (const std::int64_t n : {0, 1, 2, 7, 1000}) {
    auto order = permutation(n, 3, 4);
    CHECK(order == permutation(n, 3, 4));
    if (n == 1000) {
      CHECK(order != permutation(n, 3, 5));
      CHECK(order != permutation(n, 4, 4));
    }
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }
  // Every order of three turns up about equally often.
  std::map<std::vector<std::int64_t>, int> counts;
  for (std::uint64_t i = 0; i < 6000; ++i) ++counts[permutation(3, 1, i)];
  CHECK(counts.size() == 6);
  for (const auto& [order, count] : counts) CHECK(std::abs(count - 1000) < 150);
}
