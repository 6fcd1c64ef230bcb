// cuBLAS as programs with DNN_USE_CUBLAS have it, in a file of its own: the others time our own products.
#define DNN_USE_CUBLAS
#include "dnn/kernels/gpu/cublas.hpp"

#include "dnn/core/config.hpp"

/// C = op(A) op(B), all of one dtype.
void cublas_product(int dtype, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                    const void* a, const void* b, void* c, bool tf32) {
  using namespace dnn;
  const auto mode = using_tf32(tf32);
  const auto run = [&]<class T>(std::type_identity<T>) {
    kernels::gpu::cublas_gemm_batched<T>({}, trans_a, trans_b, m, n, k, static_cast<const T*>(a), trans_a ? m : k, {},
                                         static_cast<const T*>(b), trans_b ? k : n, {}, static_cast<T*>(c), n, false,
                                         nullptr);
  };
  switch (static_cast<DType>(dtype)) {
    case DType::float64: return run(std::type_identity<double>{});
    case DType::float16: return run(std::type_identity<Float16>{});
    case DType::bfloat16: return run(std::type_identity<BFloat16>{});
    default: return run(std::type_identity<float>{});
  }
}
