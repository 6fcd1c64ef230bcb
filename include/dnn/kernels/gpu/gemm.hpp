/// Matrix products of row-major matrices on the GPU: kernels/gemm.hpp's contract, for float, double, float16, bfloat16.
/// The kernels are our own; kernels/gpu/cublas.hpp says how to have cuBLAS's.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>
#include <utility>

#include "dnn/kernels/gpu/cublas.hpp"
#include "dnn/kernels/gpu/operand.hpp"
#include "dnn/kernels/gpu/product.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

template <class T>
void gemm_batched(const BatchAxes& batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                  const T* a, std::int64_t lda, const BatchAxes::Strides& a_strides, const T* b, std::int64_t ldb,
                  const BatchAxes::Strides& b_strides, T* c, std::int64_t ldc, bool accumulate, const T* bias) {
#if defined(__CUDACC__) && defined(DNN_USE_CUBLAS)
  if (k > 0) {
    return cublas_gemm_batched(batch, trans_a, trans_b, m, n, k, a, lda, a_strides, b, ldb, b_strides, c, ldc,
                               accumulate, bias);
  }
#endif
  Output<T> out;
  out.data = c, out.row = ldc, out.column_bias = bias, out.accumulate = accumulate;
  for (auto [axis, stride] = std::pair(batch.count - 1, m * ldc); axis >= 0; stride *= batch.sizes[axis--]) {
    out.batch_strides[axis] = stride;
  }
  out.use_vectors();
  multiply("gemm", StridedOperand<T>::matrix(a, m, lda, trans_a, a_strides),
           StridedOperand<T>::matrix(b, n, ldb, !trans_b, b_strides), out, m, n, k, batch);
}

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
          const T* b, std::int64_t ldb, T* c, std::int64_t ldc, bool accumulate, const T* bias) {
  gemm_batched({}, trans_a, trans_b, m, n, k, a, lda, {}, b, ldb, {}, c, ldc, accumulate, bias);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
