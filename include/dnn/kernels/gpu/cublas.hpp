/// Matrix products by cuBLAS in the place of our own: for programs that nvcc compiles with DNN_USE_CUBLAS (in CMake
/// `set(DNN_USE_CUBLAS ON)` before dnn_cuda_twin, by hand `-DDNN_USE_CUBLAS -lcublas`). Convolutions stay ours.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA && defined(DNN_USE_CUBLAS)

#include <cublas_v2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dnn/core/config.hpp"
#include "dnn/core/dtype.hpp"
#include "dnn/cuda/device.hpp"
#include "dnn/cuda/stream.hpp"
#include "dnn/kernels/batch_axes.hpp"
#include "dnn/kernels/gpu/for_each_index.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

namespace detail {

inline void check_cublas(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) throw CudaError("[gemm] cuBLAS: ", cublasGetStatusString(status));
}

/// This thread's handle for the current device, on the current stream.
inline cublasHandle_t cublas_handle() {
  struct Handles {
    std::array<cublasHandle_t, cu::max_devices> of_device{};
    ~Handles() {
      for (const auto handle : of_device) {
        if (handle) cublasDestroy(handle);
      }
    }
  };
  static thread_local Handles handles;
  auto& handle = handles.of_device[static_cast<std::size_t>(cu::current_device())];
  if (!handle) check_cublas(cublasCreate(&handle));
  check_cublas(cublasSetStream(handle, cu::current_stream()));
  return handle;
}

template <class T>
struct StartRows {
  T* c;
  const T* bias;
  std::int64_t n, ldc;

  DNN_HD void operator()(std::int64_t i) const { c[i / n * ldc + i % n] = bias[i % n]; }
};

}  // namespace detail

/// As gpu::gemm_batched, but for k == 0. cuBLAS knows columns: what lies in rows is the transpose to it, and C^T is
/// op(B)^T op(A)^T. Throws CudaError.
template <class T>
void cublas_gemm_batched(const BatchAxes& batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n,
                         std::int64_t k, const T* a, std::int64_t lda, const BatchAxes::Strides& a_strides, const T* b,
                         std::int64_t ldb, const BatchAxes::Strides& b_strides, T* c, std::int64_t ldc, bool accumulate,
                         const T* bias) {
  const auto batches = batch.size();
  if (m == 0 || n == 0 || batches == 0) return;
  const bool biased = bias && !accumulate;
  if (biased) for_each_index("gemm", batches * m * n, detail::StartRows<T>{c, bias, n, ldc});

  using Scalar = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const Scalar alpha = 1, beta = accumulate || biased ? 1 : 0;
  constexpr cudaDataType_t types[] = {CUDA_R_32F, CUDA_R_64F, CUDA_R_16F, CUDA_R_16BF};
  constexpr auto type = types[static_cast<int>(dtype_of<T>())];
  const auto compute = type == CUDA_R_64F                          ? CUBLAS_COMPUTE_64F
                       : type == CUDA_R_32F && config().allow_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                   : CUBLAS_COMPUTE_32F;
  const auto operation = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const auto handle = detail::cublas_handle();
  // The last axis of the batch in one call.
  const int last = batch.count - 1;
  const auto together = last < 0 ? 1 : batch.sizes[last];
  for (std::int64_t i = 0; i < batches; i += together) {
    detail::check_cublas(cublasGemmStridedBatchedEx_64(
        handle, operation(trans_b), operation(trans_a), n, m, k, &alpha, b + batch.offset(i, b_strides), type, ldb,
        last < 0 ? 0 : b_strides[last], a + batch.offset(i, a_strides), type, lda, last < 0 ? 0 : a_strides[last],
        &beta, c + i * m * ldc, type, ldc, m * ldc, together, compute, CUBLAS_GEMM_DEFAULT));
  }
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
