// Emulated devices have a stand-in for cuBLAS: it shows that operands, transposes and strides are handed over rightly.
// With a GPU, and all of it compiled with DNN_USE_CUBLAS, gemm.cpp tests the real one.
#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#define DNN_USE_CUBLAS
#include "dnn/kernels/gpu/cublas.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "dnn/kernels/gpu/gemm.hpp"
#include "dnn/memory/device.hpp"
#include "kernels/gpu/device_memory.hpp"

using namespace dnn;
using namespace device_test;
using kernels::BatchAxes;

namespace {

/// cuBLAS and our own kernels, for a batch of 2 x 3 products whose first operand repeats along the last axis and whose
/// second one along the first.
template <class T>
void check(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t spare,
           bool accumulate, bool biased, bool batched) {
  const auto lda = (trans_a ? m : k) + spare, ldb = (trans_b ? k : n) + spare, ldc = n + spare;
  const auto a_size = (trans_a ? k : m) * lda, b_size = (trans_b ? n : k) * ldb;
  BatchAxes batch;
  if (batched) batch.count = 2, batch.sizes[0] = 2, batch.sizes[1] = 3;
  const BatchAxes::Strides a_strides = {a_size, 0}, b_strides = {0, b_size};
  const DeviceVector<T> a(random_numbers<T>(2 * a_size, 1)), b(random_numbers<T>(3 * b_size, 2));
  const auto before = random_numbers<T>(batch.size() * m * ldc, 3);
  const DeviceVector<T> ours(before), theirs(before), bias(random_numbers<T>(n, 4));
  const T* const start = biased ? bias.data() : nullptr;
  kernels::gpu::gemm_batched<T>(batch, trans_a, trans_b, m, n, k, a.data(), lda, a_strides, b.data(), ldb, b_strides,
                                ours.data(), ldc, accumulate, start);
  kernels::gpu::cublas_gemm_batched<T>(batch, trans_a, trans_b, m, n, k, a.data(), lda, a_strides, b.data(), ldb,
                                       b_strides, theirs.data(), ldc, accumulate, start);
  const auto expected = ours.values(), actual = theirs.values();
  const bool rounded = std::is_same_v<T, float> && config().allow_tf32;
  CHECK((stand_in::last_compute == CUBLAS_COMPUTE_32F_FAST_TF32) == rounded);
  int wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double x = as_double(actual[i]), y = as_double(expected[i]);
    if (!(std::abs(x - y) <= (rounded ? 0x1p-9 : 8 * rounding<T>()) * (std::abs(y) + 1))) ++wrong;
  }
  INFO(trans_a << trans_b << " " << m << "x" << n << "x" << k << " spare " << spare << " accumulate " << accumulate
               << " biased " << biased << " batched " << batched);
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("cuBLAS computes what our own kernels compute", "[gpu]", float, double, Float16, BFloat16) {
  const auto device = using_device("cuda:0");
  const std::int64_t sizes[][3] = {{5, 7, 3}, {1, 9, 4}, {6, 1, 2}, {3, 2, 1}};
  for (const auto& [m, n, k] : sizes) {
    for (int ways = 0; ways < 16; ++ways) {
      const bool trans_a = ways & 1, trans_b = ways & 2, batched = ways & 4, biased = ways & 8;
      check<TestType>(trans_a, trans_b, m, n, k, ways % 3, !biased && ways % 2 == 0, biased, batched);
    }
  }
}

TEST_CASE("cuBLAS: TF32, other streams, refusals", "[gpu]") {
  const auto device = using_device("cuda:0");
  {
    const auto tf32 = using_tf32();
    check<float>(false, true, 4, 5, 3, 0, false, true, false);
    check<double>(false, true, 4, 5, 3, 0, false, true, false);
  }
  const cu::Stream stream;
  const auto here = cu::using_stream(stream);
  check<float>(true, false, 4, 5, 3, 0, true, false, true);
  const DeviceVector<float> x(std::vector<float>(16));
  CHECK_THROWS_WITH(kernels::gpu::cublas_gemm_batched<float>({}, false, false, 2, 2, 2, x.data(), 1, {}, x.data(), 2,
                                                             {}, x.data(), 2, false, nullptr),
                    Catch::Matchers::ContainsSubstring("[gemm] cuBLAS: an unsupported value"));
}

#endif
