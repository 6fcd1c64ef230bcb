#include "dnn/datasets/generated_digits.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "catch.hpp"

using namespace dnn;
using datasets::generate_digits;

namespace {
// FNV-1a
std::uint64_t fingerprint(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const auto byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  return hash;
}
}  // namespace

TEST_CASE("generated digits are a function of seed and number", "[generated_digits]") {
  const auto all = generate_digits(300, 5);
  CHECK(generate_digits(300, 5).images == all.images);
  const auto some = generate_digits(70, 5, 230);
  CHECK(std::equal(some.images.begin(), some.images.end(), all.images.begin() + 230 * 784));
  CHECK(std::equal(some.labels.begin(), some.labels.end(), all.labels.begin() + 230));
  CHECK(generate_digits(300, 6).images != all.images);
  CHECK(generate_digits(0).labels.empty());

  // The same bytes with every compiler, flag, and number of threads.
  const int threads = num_threads();
  set_num_threads(1);
  CHECK(generate_digits(300, 5).images == all.images);
  set_num_threads(threads);
  CHECK(fingerprint(all.images) == 1915114238388544109u);
  CHECK(fingerprint(all.labels) == 719105734601308620u);
}

TEST_CASE("generated digits look like MNIST from afar", "[generated_digits]") {
  constexpr std::size_t n = 2000;
  const auto digits = generate_digits(n, 1);
  std::array<int, 10> counts{};
  for (const auto label : digits.labels) {
    REQUIRE(label <= 9);
    ++counts[label];
  }
  for (const int count : counts) CHECK((count > 140 && count < 260));

  double ink = 0, border = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* image = digits.images.data() + 784 * i;
    double sum = 0, x = 0, y = 0;
    for (std::size_t p = 0; p < 784; ++p) {
      sum += image[p];
      x += image[p] * static_cast<double>(p % 28);
      y += image[p] * static_cast<double>(p / 28);
      if (p % 28 == 0 || p % 28 == 27 || p < 28 || p >= 756) border += image[p];
    }
    CHECK(sum > 784 * 255 * 0.02);
    CHECK(std::abs(x / sum - 13.5) < 5.5);
    CHECK(std::abs(y / sum - 13.5) < 5.5);
    ink += sum / 255 / 784;
  }
  CHECK(ink / n > 0.1);  // MNIST has 0.13
  CHECK(ink / n < 0.17);
  CHECK(border / n / 255 < 1);
}

TEST_CASE("generated digits can be told apart, but not by their means", "[generated_digits]") {
  // Nearest class mean: MNIST gives about 0.82. Far above chance, and far from solved.
  const auto train = generate_digits(4000, 2), test = generate_digits(1000, 2, 60000);
  std::array<std::array<double, 784>, 10> means{};
  std::array<double, 10> counts{};
  for (std::size_t i = 0; i < train.labels.size(); ++i) {
    ++counts[train.labels[i]];
    for (std::size_t p = 0; p < 784; ++p) means[train.labels[i]][p] += train.images[784 * i + p];
  }
  int right = 0;
  for (std::size_t i = 0; i < test.labels.size(); ++i) {
    std::array<double, 10> distance{};
    for (std::size_t k = 0; k < 10; ++k) {
      for (std::size_t p = 0; p < 784; ++p) {
        const double d = test.images[784 * i + p] - means[k][p] / counts[k];
        distance[k] += d * d;
      }
    }
    right += std::min_element(distance.begin(), distance.end()) - distance.begin() == test.labels[i];
  }
  CHECK(right > 600);
  CHECK(right < 900);
}
