#include "dnn/kernels/channel_sums.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "dnn/testing/check_error.hpp"

using namespace dnn;

namespace {

template <class T>
void check(std::int64_t outer, std::int64_t channels, std::int64_t inner) {
  const auto n = outer * channels * inner;
  const Array a = testing::random_array({n}, 1, -1, 3, dtype_of<T>()),
              b = testing::random_array({n}, 2, -1, 3, dtype_of<T>());
  const Array p = testing::random_array({channels}, 3, -1, 3, dtype_of<T>()),
              q = testing::random_array({channels}, 4, -1, 3, dtype_of<T>());
  const auto c_size = static_cast<std::size_t>(channels);
  for (const bool shifted : {false, true}) {
    std::vector<double> sums(2 * c_size, -1);
    kernels::channel_sums<T>(outer, channels, inner, a.data<T>(), b.data<T>(), shifted ? p.data<T>() : nullptr,
                             shifted ? q.data<T>() : nullptr, sums.data());
    for (std::int64_t c = 0; c < channels; ++c) {
      double s = 0, r = 0;
      for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t i = 0; i < inner; ++i) {
          const auto at = (o * channels + c) * inner + i;
          const double x = a.data<T>()[at], y = b.data<T>()[at];
          s += x;
          r += shifted ? (x - p.data<T>()[c]) * (y - q.data<T>()[c]) : x * y;
        }
      }
      const double tolerance = (sizeof(T) == 4 ? 1e-5 : 1e-12) * static_cast<double>(outer * inner + 1);
      CHECK(std::abs(sums[static_cast<std::size_t>(c)] - s) <= tolerance);
      CHECK(std::abs(sums[static_cast<std::size_t>(channels + c)] - r) <= tolerance);
    }
  }
}

}  // namespace

TEST_CASE("channel_sums agrees with a loop", "[kernels]") {
  for (const std::int64_t outer : {0, 1, 3, 700}) {
    for (const std::int64_t channels : {0, 1, 5, 37}) {
      for (const std::int64_t inner : {1, 2, 16, 35}) {
        check<float>(outer, channels, inner);
        check<double>(outer, channels, inner);
      }
    }
  }
  check<float>(2, 3, 9000);
  check<double>(1, 2, 0);
}
