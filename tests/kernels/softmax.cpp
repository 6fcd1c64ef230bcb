#include "dnn/kernels/softmax.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "dnn/testing/check_error.hpp"

using namespace dnn;

namespace {

template <class T>
void check_softmax(std::int64_t outer, std::int64_t classes, std::int64_t inner) {
  const Array x = testing::random_array({outer * classes * inner}, 1, -20, 20, dtype_of<T>());
  std::vector<T> largest(static_cast<std::size_t>(outer * inner)), log_sum(largest);
  kernels::log_sum_exp(x.data<T>(), outer, classes, inner, largest.data(), log_sum.data());
  for (std::int64_t p = 0; p < outer * inner; ++p) {
    const T* column = x.data<T>() + p / inner * classes * inner + p % inner;
    T best = column[0];
    for (std::int64_t c = 1; c < classes; ++c) best = std::max(best, column[c * inner]);
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(column[c * inner] - best));
    CHECK(largest[static_cast<std::size_t>(p)] == best);
    CHECK(log_sum[static_cast<std::size_t>(p)] == Approx(std::log(sum)).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("log_sum_exp agrees with a loop, for rows and for columns", "[kernels]") {
  for (const std::int64_t classes : {1, 2, 15, 16, 17, 100}) {
    for (const std::int64_t inner : {1, 3, 16, 33}) {
      check_softmax<float>(3, classes, inner);
      check_softmax<double>(3, classes, inner);
    }
  }
  check_softmax<float>(0, 3, 4);
}

TEST_CASE("log_sum_exp: infinite and NaN scores", "[kernels]") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const float x[] = {-inf, 0.f, 0.f, 1.f, std::nanf(""), 2.f};
  float largest[2], log_sum[2];
  kernels::log_sum_exp(x, 2, 3, 1, largest, log_sum);
  CHECK(largest[0] == 0);
  CHECK(log_sum[0] == Approx(std::log(2.f)));
  CHECK(std::isnan(log_sum[1]));
}
