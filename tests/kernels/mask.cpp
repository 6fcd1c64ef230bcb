#include "dnn/kernels/mask.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"

using namespace dnn;

namespace {

/// Bytes that are not 0 or 1 where nothing was written.
std::vector<std::uint8_t> mask(std::int64_t n, const RandomStream& stream, std::uint64_t threshold) {
  std::vector<std::uint8_t> keep(static_cast<std::size_t>(n + 64), 7);
  kernels::draw_mask(keep.data(), n, stream, threshold);
  return keep;
}

}  // namespace

TEST_CASE("a mask is made of the words of the stream, whatever its length", "[kernels]") {
  // Positions whose lower half overflows on the way.
  for (const std::uint64_t position : {0ull, 5ull, 0xFFFFFFFDull, 0x12345FFFFFFFAull}) {
    const RandomStream stream{0x9876543210ABCDEFull, position};
    for (const std::int64_t n : {0, 1, 3, 4, 31, 32, 33, 34, 65, 127, 1001}) {
      for (const std::uint64_t threshold : {0ull, 1ull, 0x7FFFFFFFull, 0x80000000ull, 0xFFFFFFFFull}) {
        const auto keep = mask(n, stream, threshold);
        for (std::int64_t i = 0; i < n; ++i) {
          const auto word = stream.block(static_cast<std::uint64_t>(i / 4))[static_cast<std::size_t>(i % 4)];
          REQUIRE(keep[static_cast<std::size_t>(i)] == (word >= threshold ? 1 : 0));
        }
        for (auto i = static_cast<std::size_t>(n); i < keep.size(); ++i) REQUIRE(keep[i] == 7);
      }
    }
  }
}

TEST_CASE("a mask does not depend on the number of threads", "[kernels]") {
  const std::int64_t n = 300001;
  const int threads = num_threads();
  set_num_threads(1);
  const auto one = mask(n, {3, 4}, 0x40000000);
  set_num_threads(3);
  const auto other = mask(n, {3, 4}, 0x40000000);
  set_num_threads(threads);
  CHECK(one == other);
}

TEMPLATE_TEST_CASE("applying a mask scales what is kept; NaN and infinity are not hidden", "[kernels]", float, double) {
  constexpr auto inf = std::numeric_limits<TestType>::infinity();
  for (const std::int64_t n : {0, 1, 7, 8, 16, 17, 100}) {
    std::vector<TestType> x(static_cast<std::size_t>(n)), y(x.size() + 1, TestType(-5));
    std::vector<std::uint8_t> keep(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = i % 13 == 12 ? inf : static_cast<TestType>(i) - 9;
      keep[i] = i % 3 != 0;
    }
    kernels::apply_mask(y.data(), x.data(), keep.data(), n, TestType(1.25));
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (keep[i]) REQUIRE(y[i] == x[i] * TestType(1.25));
      else if (x[i] == inf) REQUIRE(std::isnan(y[i]));
      else REQUIRE(y[i] == 0);
    }
    CHECK(y.back() == TestType(-5));
  }
}
