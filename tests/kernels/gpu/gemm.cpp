#include "dnn/kernels/gpu/gemm.hpp"

#if DNN_CUDA

#include <cmath>
#include <tuple>
#include <vector>

#include "catch.hpp"
#include "dnn/memory/device.hpp"
#include "kernels/gpu/device_memory.hpp"

using namespace dnn;
using namespace device_test;

namespace {

struct Product {
  bool trans_a = false, trans_b = false;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t spare = 0;  // columns that rows have more than they need
  std::size_t shift = 0;   // elements by which the matrices miss an aligned address
  bool accumulate = false, biased = false;
  bool warpgroups = false;  // on Hopper's tensor cores, which gemm does not choose by itself
};

template <class T>
void multiply_on_warpgroups(const Product& p, const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T* c,
                            std::int64_t ldc, const T* bias) {
  using namespace kernels::gpu;
  Output<T> out;
  out.data = c, out.row = ldc, out.column_bias = bias, out.accumulate = p.accumulate;
  out.use_vectors();
  ProductSizes sizes;
  sizes.m = p.m, sizes.n = p.n, sizes.k = static_cast<int>(p.k);
  kernels::gpu::detail::launch_warpgroup_product("gemm", StridedOperand<T>::matrix(a, p.m, lda, p.trans_a, {}),
                                                 StridedOperand<T>::matrix(b, p.n, ldb, !p.trans_b, {}), out, sizes);
}

/// Compares gemm with three loops in double; spare columns of C must stay as they are.
template <class T>
void check(const Product& p) {
  const auto [trans_a, trans_b, m, n, k, spare, shift, accumulate, biased, warpgroups] = p;
  const auto lda = (trans_a ? m : k) + spare, ldb = (trans_b ? k : n) + spare, ldc = n + spare;
  const auto a = random_numbers<T>((trans_a ? k : m) * lda, 1), b = random_numbers<T>((trans_b ? n : k) * ldb, 2);
  const auto before = random_numbers<T>(m * ldc, 3), bias = random_numbers<T>(n, 4);
  const DeviceVector<T> device_a(a, shift), device_b(b, shift), device_c(before, shift), device_bias(bias, shift);
  const T* const start = biased ? device_bias.data() : nullptr;
  if constexpr (sizeof(T) == 2) {
    if (warpgroups) {
      multiply_on_warpgroups(p, device_a.data(), lda, device_b.data(), ldb, device_c.data(), ldc, start);
    }
  }
  if (!warpgroups) {
    kernels::gpu::gemm<T>(trans_a, trans_b, m, n, k, device_a.data(), lda, device_b.data(), ldb, device_c.data(), ldc,
                          accumulate, start);
  }
  const auto c = device_c.values();

  const bool rounded = std::is_same_v<T, float> && config().allow_tf32;
  const double sum_rounding = sizeof(T) == 8 ? 0x1p-51 : 0x1p-24;  // the expected sum is itself a double
  int wrong = 0;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < ldc; ++j) {
      const auto at = static_cast<std::size_t>(i * ldc + j);
      if (j >= n) {
        if (as_double(c[at]) != as_double(before[at])) ++wrong;
        continue;
      }
      double sum = accumulate ? as_double(before[at]) : 0, magnitude = std::abs(sum);
      if (biased) sum += as_double(bias[static_cast<std::size_t>(j)]), magnitude += 1;
      for (std::int64_t q = 0; q < k; ++q) {
        double x = as_double(a[static_cast<std::size_t>(trans_a ? q * lda + i : i * lda + q)]);
        double y = as_double(b[static_cast<std::size_t>(trans_b ? j * ldb + q : q * ldb + j)]);
        if (rounded) x = tf32(x), y = tf32(y);
        sum += x * y;
        magnitude += std::abs(x * y);
      }
      const double tolerance = 1.5 * rounding<T>() * std::abs(sum) + 4 * sum_rounding * (magnitude + 1);
      if (!(std::abs(as_double(c[at]) - sum) <= tolerance)) ++wrong;
    }
  }
  INFO(name_of(dtype_of<T>()) << " " << trans_a << trans_b << " " << m << "x" << n << "x" << k << " spare " << spare
                              << " shift " << shift << " accumulate " << accumulate << " bias " << biased);
  CHECK(wrong == 0);
}

/// All transposes, each in one of four ways in which C and the storage may be, or in `all`.
template <class T>
void check_transposes(std::int64_t m, std::int64_t n, std::int64_t k, bool all, bool warpgroups = false) {
  for (int transposes = 0; transposes < 4; ++transposes) {
    for (int way = 0; way < 4; ++way) {
      if (!all && way != (transposes + m + n + k) % 4) continue;
      check<T>({.trans_a = transposes % 2 != 0,
                .trans_b = transposes / 2 != 0,
                .m = m,
                .n = n,
                .k = k,
                .spare = way == 1   ? 3
                         : way == 2 ? 8
                                    : 0,
                .shift = way == 3 ? 1u : 0u,
                .accumulate = way == 1,
                .biased = way >= 2,
                .warpgroups = warpgroups});
    }
  }
}

/// Emulated tensor cores are slow.
template <class T>
void check_all(std::int64_t m, std::int64_t n, std::int64_t k) {
  check_transposes<T>(m, n, k, sizeof(T) != 2 && !config().allow_tf32);
}

}  // namespace

TEMPLATE_TEST_CASE("GPU gemm agrees with three loops: small and empty sizes", "[gpu]", float, double, Float16,
                   BFloat16) {
  const auto device = using_device("cuda:0");
  for (const std::int64_t m : {0, 1, 5}) {
    for (const std::int64_t n : {0, 1, 17}) {
      for (const std::int64_t k : {0, 1, 7, 33}) check_all<TestType>(m, n, k);
    }
  }
}

TEMPLATE_TEST_CASE("GPU gemm agrees with three loops: around the sizes of tiles", "[gpu]", float, double, Float16,
                   BFloat16) {
  const auto device = using_device("cuda:0");
  const std::int64_t sizes[][3] = {{64, 64, 16},   {65, 63, 17}, {128, 128, 32},
                                   {129, 127, 65}, {3, 200, 40}, {200, 3, 40}};
  for (const auto& [m, n, k] : sizes) check_all<TestType>(m, n, k);
}

TEST_CASE("GPU gemm in large tiles", "[gpu]") {
  const auto device = using_device("cuda:0");
  const auto tiles = cu::multiprocessor_count();
  check_all<float>(128 * tiles - 5, 120, 50);
  check_all<float>(140, 128 * tiles, 16);
}

TEST_CASE("GPU gemm in TF32", "[gpu]") {
  const auto device = using_device("cuda:0");
  const auto tf32_mode = using_tf32();
  check_all<float>(1, 1, 1);
  check_all<float>(130, 70, 37);
  check_all<float>(128, 128, 64);
}

TEMPLATE_TEST_CASE("GPU gemm cut along its depth", "[gpu]", float, double) {
  const auto device = using_device("cuda:0");
  check_all<TestType>(10, 7, 1100);
  check_all<TestType>(64, 30, 513);
}

TEST_CASE("GPU gemm on tensor cores, cut along its depth", "[gpu]") {
  const auto device = using_device("cuda:0");
  check<Float16>({.trans_b = true, .m = 10, .n = 7, .k = 520, .biased = true});
}

TEMPLATE_TEST_CASE("GPU gemm on warpgroups", "[gpu]", Float16, BFloat16) {
#if DNN_EMULATED || defined(DNN_HOPPER)
  const auto device = using_device("cuda:0");
  for (const bool all : {true, false}) check_transposes<TestType>(all ? 70 : 130, all ? 90 : 140, 40, all, true);
  check_transposes<TestType>(128, 128, 200, false, true);
  check_transposes<TestType>(1, 1, 1, false, true);
  check_transposes<TestType>(130, 5, 0, false, true);
  check<TestType>({.trans_b = true, .m = 10, .n = 7, .k = 520, .biased = true, .warpgroups = true});
#endif
}

TEMPLATE_TEST_CASE("GPU gemm on warpgroups, with operands for the copy engine", "[gpu]", Float16, BFloat16) {
#if DNN_EMULATED || defined(DNN_HOPPER)
  const auto device = using_device("cuda:0");
#if DNN_EMULATED
  const cu::host::UsingSchedule schedule(GENERATE("forward", "reverse", "random:1", "random:2"));
#endif
  const bool trans_a = GENERATE(false, true), trans_b = GENERATE(false, true);
  // A ring of slices that goes round twice; edges in every direction; a part that ends before the depth does.
  for (const auto& [m, n, k] : {std::tuple{136, 72, 488}, std::tuple{72, 136, 8}, std::tuple{8, 200, 584}}) {
    check<TestType>({.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k, .spare = 8, .warpgroups = true});
  }
#endif
}

TEST_CASE("GPU gemm of a batch on warpgroups", "[gpu]") {
#if DNN_EMULATED || defined(DNN_HOPPER)
  using namespace kernels::gpu;
  const auto device = using_device("cuda:0");
  const std::int64_t m = 40, n = 24, k = 72;
  ProductSizes sizes;
  sizes.m = m, sizes.n = n, sizes.k = static_cast<int>(k), sizes.batch.count = 1, sizes.batch.sizes[0] = 3;
  const DeviceVector<Float16> a(random_numbers<Float16>(3 * m * k, 1)), b(random_numbers<Float16>(k * n, 2));
  const DeviceVector<Float16> c(random_numbers<Float16>(3 * m * n, 3)), one(random_numbers<Float16>(m * n, 4));
  const auto left = StridedOperand<Float16>::matrix(a.data(), m, k, false, {m * k});
  const auto right = StridedOperand<Float16>::matrix(b.data(), n, n, true, {0});
  Output<Float16> out;
  out.data = c.data(), out.row = n, out.batch_strides[0] = m * n;
  REQUIRE(TransferredOperand<Float16>::takes(left, k, sizes.batch));
  REQUIRE(TransferredOperand<Float16>::takes(right, k, sizes.batch));
  CHECK_FALSE(TransferredOperand<Float16>::takes(left, 0, sizes.batch));
  CHECK_FALSE(TransferredOperand<Float16>::takes(StridedOperand<Float16>::matrix(a.data() + 1, m, k, false, {}), k,
                                                 sizes.batch));
  kernels::gpu::detail::launch_warpgroup_product("gemm", left, right, out, sizes);
  const auto all = c.values();
  for (std::int64_t i = 0; i < 3; ++i) {
    gemm<Float16>(false, false, m, n, k, a.data() + i * m * k, k, b.data(), n, one.data(), n, false, nullptr);
    const auto expected = one.values();
    for (std::size_t j = 0; j < expected.size(); ++j) {
      REQUIRE(as_double(all[static_cast<std::size_t>(i * m * n) + j]) == Approx(as_double(expected[j])).margin(1e-2));
    }
  }
#endif
}

namespace {

struct Square {
  DNN_HD float operator()(float x) const { return x * x; }
};

}  // namespace

TEST_CASE("GPU products end with any function of the sum", "[gpu]") {
  using namespace kernels::gpu;
  const auto device = using_device("cuda:0");
  for (const std::int64_t k : {5, 600}) {  // the second one cut along its depth
    const DeviceVector<float> device_a(random_numbers<float>(6 * k, 1)), device_b(random_numbers<float>(k * 7, 2));
    const DeviceVector<float> plain(std::vector<float>(42)), squared(std::vector<float>(42));
    gemm<float>(false, false, 6, 7, k, device_a.data(), k, device_b.data(), 7, plain.data(), 7, false, nullptr);
    Output<float, DenseColumns, Square> out;
    out.data = squared.data(), out.row = 7;
    multiply("gemm", StridedOperand<float>::matrix(device_a.data(), 6, k, false, {}),
             StridedOperand<float>::matrix(device_b.data(), 7, 7, true, {}), out, 6, 7, k);
    const auto x = plain.values(), y = squared.values();
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(y[i] == x[i] * x[i]);
  }
}

TEST_CASE("GPU gemm of a batch repeats operands along axes of stride 0", "[gpu]") {
  const auto device = using_device("cuda:0");
  const std::int64_t m = 9, n = 20, k = 13;
  kernels::BatchAxes batch;
  batch.count = 3, batch.sizes[0] = 2, batch.sizes[1] = 3, batch.sizes[2] = 2;
  const kernels::BatchAxes::Strides a_strides = {2 * m * k, 0, m * k}, b_strides = {0, k * n, 0};
  const auto a = random_numbers<float>(4 * m * k, 1), b = random_numbers<float>(3 * k * n, 2);
  const DeviceVector<float> device_a(a), device_b(b), c(std::vector<float>(static_cast<std::size_t>(12 * m * n)));
  kernels::gpu::gemm_batched<float>(batch, false, false, m, n, k, device_a.data(), k, a_strides, device_b.data(), n,
                                    b_strides, c.data(), n, false, nullptr);
  const auto all = c.values();
  for (std::int64_t i = 0; i < 12; ++i) {
    const DeviceVector<float> one(std::vector<float>(static_cast<std::size_t>(m * n)));
    kernels::gpu::gemm<float>(false, false, m, n, k, device_a.data() + (i / 6 * 2 + i % 2) * m * k, k,
                              device_b.data() + i / 2 % 3 * k * n, n, one.data(), n, false, nullptr);
    INFO("product " << i);
    CHECK(one.values() == std::vector<float>(all.begin() + i * m * n, all.begin() + (i + 1) * m * n));
  }
}

TEST_CASE("GPU gemm gives the same bits whatever the order of blocks and threads", "[gpu]") {
#if DNN_EMULATED
  const auto device = using_device("cuda:0");
  const std::int64_t m = 70, n = 90, k = 600;
  const DeviceVector<float> a(random_numbers<float>(m * k, 1)), b(random_numbers<float>(k * n, 2));
  const auto multiply = [&](const char* order) {
    const cu::host::UsingSchedule schedule(order);
    const DeviceVector<float> c(std::vector<float>(static_cast<std::size_t>(m * n)));
    kernels::gpu::gemm<float>(false, false, m, n, k, a.data(), k, b.data(), n, c.data(), n, false, nullptr);
    return c.values();
  };
  const auto forward = multiply("forward");
  CHECK(multiply("reverse") == forward);
  CHECK(multiply("random:7") == forward);
#endif
}

TEST_CASE("NaN and infinity pass through GPU gemm", "[gpu]") {
  const auto device = using_device("cuda:0");
  const std::int64_t m = 40, n = 40, k = 70;
  std::vector<float> a(static_cast<std::size_t>(m * k), 0.f), b(static_cast<std::size_t>(k * n), 1.f);
  a[3] = std::nanf("");
  a[static_cast<std::size_t>(k)] = INFINITY;
  for (const bool tf32_mode : {false, true}) {
    const auto mode = using_tf32(tf32_mode);
    const DeviceVector<float> device_a(a), device_b(b), c(std::vector<float>(static_cast<std::size_t>(m * n)));
    kernels::gpu::gemm<float>(false, false, m, n, k, device_a.data(), k, device_b.data(), n, c.data(), n, false,
                              nullptr);
    const auto values = c.values();
    CHECK(std::isnan(values[0]));
    CHECK(std::isnan(values[39]));
    CHECK(values[40] == INFINITY);
    CHECK(values[80] == 0);
  }
}

#endif
