/// The part of cuBLAS that kernels/gpu/cublas.hpp calls, on emulated devices: products of matrices that lie in columns,
/// by three loops, and the demands on their arguments that the documentation of cublasGemmStridedBatchedEx names.
#pragma once

#include <cstdint>

#include "dnn/core/dtype.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/kernels/gpu/for_each_index.hpp"

enum cudaDataType_t { CUDA_R_32F, CUDA_R_64F, CUDA_R_16F, CUDA_R_16BF };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_32F_FAST_TF32 };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT };
enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_INVALID_VALUE };

struct cublasContext {
  cudaStream_t stream = nullptr;
};
using cublasHandle_t = cublasContext*;

inline cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
inline const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "an unsupported value or parameter was passed to the function";
}

namespace stand_in {

inline cublasComputeType_t last_compute = CUBLAS_COMPUTE_32F;

template <class T, class Sum>
struct ColumnProduct {
  cublasOperation_t op_a, op_b;
  std::int64_t m, n, k;
  Sum alpha;
  const T* a;
  std::int64_t lda, stride_a;
  const T* b;
  std::int64_t ldb, stride_b;
  Sum beta;
  T* c;
  std::int64_t ldc, stride_c;

  void operator()(std::int64_t at) const {
    const auto batch = at / (m * n), i = at % m, j = at / m % n;
    Sum sum = 0;
    for (std::int64_t p = 0; p < k; ++p) {
      const T x = a[batch * stride_a + (op_a == CUBLAS_OP_N ? i + p * lda : p + i * lda)];
      const T y = b[batch * stride_b + (op_b == CUBLAS_OP_N ? p + j * ldb : j + p * ldb)];
      sum += dnn::cast_scalar<Sum>(x) * dnn::cast_scalar<Sum>(y);
    }
    T& to = c[batch * stride_c + i + j * ldc];
    sum *= alpha;
    if (beta != 0) sum += beta * dnn::cast_scalar<Sum>(to);
    to = dnn::cast_scalar<T>(sum);
  }
};

}  // namespace stand_in

inline cublasStatus_t cublasGemmStridedBatchedEx_64(
    cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
    std::int64_t k, const void* alpha, const void* a, cudaDataType_t type_a, std::int64_t lda, std::int64_t stride_a,
    const void* b, cudaDataType_t type_b, std::int64_t ldb, std::int64_t stride_b, const void* beta, void* c,
    cudaDataType_t type_c, std::int64_t ldc, std::int64_t stride_c, std::int64_t batches, cublasComputeType_t compute,
    cublasGemmAlgo_t) {
  const bool types = type_a == type_b && type_b == type_c &&
                     (compute == CUBLAS_COMPUTE_64F) == (type_a == CUDA_R_64F) &&
                     (compute != CUBLAS_COMPUTE_32F_FAST_TF32 || type_a == CUDA_R_32F);
  const auto rows = [](std::int64_t count, std::int64_t ld) { return ld >= (count > 1 ? count : 1); };
  const bool sizes = m >= 0 && n >= 0 && k >= 0 && batches >= 0 && rows(op_a == CUBLAS_OP_N ? m : k, lda) &&
                     rows(op_b == CUBLAS_OP_N ? k : n, ldb) && rows(m, ldc);
  stand_in::last_compute = compute;
  if (!types || !sizes || handle->stream != dnn::cu::current_stream()) return CUBLAS_STATUS_INVALID_VALUE;
  const auto run = [&]<class T, class Sum>(T* to, Sum) {
    dnn::kernels::gpu::for_each_index(
        "cublas", batches * m * n,
        stand_in::ColumnProduct<T, Sum>{op_a, op_b, m, n, k, *static_cast<const Sum*>(alpha), static_cast<const T*>(a),
                                        lda, stride_a, static_cast<const T*>(b), ldb, stride_b,
                                        *static_cast<const Sum*>(beta), to, ldc, stride_c});
  };
  switch (type_c) {
    case CUDA_R_32F: run(static_cast<float*>(c), float{}); break;
    case CUDA_R_64F: run(static_cast<double*>(c), double{}); break;
    case CUDA_R_16F: run(static_cast<dnn::Float16*>(c), float{}); break;
    case CUDA_R_16BF: run(static_cast<dnn::BFloat16*>(c), float{}); break;
  }
  return CUBLAS_STATUS_SUCCESS;
}
