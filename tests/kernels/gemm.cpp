#include "dnn/kernels/gemm.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "dnn/core/random.hpp"
#include "every_isa.hpp"

using namespace dnn;

namespace {

template <class T>
std::vector<T> random_numbers(std::size_t n, std::uint64_t seed) {
  const RandomStream stream{seed, 0};
  std::vector<T> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<T>(2 * stream.uniform_double(i) - 1);
  return out;
}

/// Compares gemm with three loops; the matrices have spare columns, and those of C must stay as they are.
template <class T>
void check(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t spare,
           bool accumulate) {
  const auto rows_a = trans_a ? k : m, columns_a = trans_a ? m : k, rows_b = trans_b ? n : k,
             columns_b = trans_b ? k : n;
  const auto lda = columns_a + spare, ldb = columns_b + spare, ldc = n + spare;
  const auto a = random_numbers<T>(static_cast<std::size_t>(rows_a * lda), 1),
             b = random_numbers<T>(static_cast<std::size_t>(rows_b * ldb), 2);
  const auto before = random_numbers<T>(static_cast<std::size_t>(m * ldc), 3);
  auto c = before;
  kernels::gemm(trans_a, trans_b, m, n, k, a.data(), lda, b.data(), ldb, c.data(), ldc, accumulate);
  const double tolerance = (sizeof(T) == 4 ? 3e-7 : 1e-15) * std::sqrt(static_cast<double>(k + 1)) * 4;
  int wrong = 0;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < ldc; ++j) {
      const auto at = static_cast<std::size_t>(i * ldc + j);
      if (j >= n) {
        if (c[at] != before[at]) ++wrong;
        continue;
      }
      double sum = accumulate ? static_cast<double>(before[at]) : 0;
      for (std::int64_t p = 0; p < k; ++p) {
        sum += static_cast<double>(a[static_cast<std::size_t>(trans_a ? p * lda + i : i * lda + p)]) *
               static_cast<double>(b[static_cast<std::size_t>(trans_b ? j * ldb + p : p * ldb + j)]);
      }
      if (!(std::abs(static_cast<double>(c[at]) - sum) <= tolerance)) ++wrong;
    }
  }
  INFO(trans_a << trans_b << " " << m << "x" << n << "x" << k << " spare " << spare << " accumulate " << accumulate);
  CHECK(wrong == 0);
}

template <class T>
void check_all_transposes(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t spare = 0) {
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for_every_isa([&] {
        check<T>(trans_a, trans_b, m, n, k, spare, false);
        check<T>(trans_a, trans_b, m, n, k, spare, true);
      });
    }
  }
}

}  // namespace

TEST_CASE("gemm agrees with three loops: small and empty sizes", "[kernels]") {
  for (const std::int64_t m : {0, 1, 2, 5}) {
    for (const std::int64_t n : {0, 1, 3, 17}) {
      for (const std::int64_t k : {0, 1, 2, 7, 33}) {
        check_all_transposes<float>(m, n, k);
        check_all_transposes<double>(m, n, k, 3);
      }
    }
  }
}

TEST_CASE("gemm agrees with three loops: around the sizes of tiles and blocks", "[kernels]") {
  const std::int64_t sizes[][3] = {{6, 16, 8},    {7, 31, 9},    {12, 32, 255}, {13, 33, 257},  {193, 65, 3},
                                   {64, 64, 64},  {1, 500, 300}, {300, 1, 500}, {5, 130, 260},  {200, 97, 65},
                                   {3, 2100, 40}, {40, 2100, 3}, {97, 2051, 5}, {101, 10, 259}, {16, 40, 64}};
  for (const auto& [m, n, k] : sizes) {
    check_all_transposes<float>(m, n, k, 0);
    check_all_transposes<double>(m, n, k, 1);
  }
}

TEST_CASE("gemm agrees with three loops: random sizes", "[kernels]") {
  const RandomStream stream{5, 0};
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto words = stream.block(i);
    const auto size = [&](std::size_t w) { return static_cast<std::int64_t>(words[w] % 130); };
    check_all_transposes<float>(size(0), size(1), size(2), static_cast<std::int64_t>(words[3] % 3));
    check_all_transposes<double>(size(0), size(1), size(2));
  }
}

TEST_CASE("gemm starts every row from a bias", "[kernels]") {
  for (const std::int64_t m : {1, 3, 40}) {
    const std::int64_t n = 37, k = 20;
    const auto a = random_numbers<float>(static_cast<std::size_t>(m * k), 1),
               b = random_numbers<float>(static_cast<std::size_t>(k * n), 2),
               bias = random_numbers<float>(static_cast<std::size_t>(n), 3);
    std::vector<float> biased(static_cast<std::size_t>(m * n), 7.f), added(biased);
    kernels::gemm(false, false, m, n, k, a.data(), k, b.data(), n, biased.data(), n, false, bias.data());
    for (std::size_t i = 0; i < added.size(); ++i) added[i] = bias[i % static_cast<std::size_t>(n)];
    kernels::gemm(false, false, m, n, k, a.data(), k, b.data(), n, added.data(), n, true);
    CHECK(biased == added);
  }
}

TEST_CASE("gemm gives the same bits on one thread and on several", "[kernels]") {
  const std::int64_t m = 300, n = 200, k = 400;
  const auto a = random_numbers<float>(static_cast<std::size_t>(m * k), 1),
             b = random_numbers<float>(static_cast<std::size_t>(k * n), 2);
  std::vector<float> one(static_cast<std::size_t>(m * n)), several(one);
  const int before = num_threads();
  set_num_threads(1);
  kernels::gemm(false, false, m, n, k, a.data(), k, b.data(), n, one.data(), n);
  set_num_threads(4);
  kernels::gemm(false, false, m, n, k, a.data(), k, b.data(), n, several.data(), n);
  set_num_threads(before);
  CHECK(one == several);
}

TEST_CASE("NaN and infinity pass through gemm", "[kernels]") {
  const float nan = std::nanf(""), inf = INFINITY;
  for (const std::int64_t m : {2, 40}) {
    std::vector<float> a(static_cast<std::size_t>(m * 70), 0.f), b(70 * 40, 1.f), c(static_cast<std::size_t>(m * 40));
    a[3] = nan;
    a[70] = inf;
    kernels::gemm(false, false, m, std::int64_t{40}, std::int64_t{70}, a.data(), std::int64_t{70}, b.data(),
                  std::int64_t{40}, c.data(), std::int64_t{40});
    CHECK(std::isnan(c[0]));
    CHECK(std::isnan(c[39]));
    CHECK(c[40] == inf);
    if (m > 2) CHECK(c[80] == 0);
  }
}
