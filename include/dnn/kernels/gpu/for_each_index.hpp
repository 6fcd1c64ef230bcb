/// One thread for each index: the GPU's half of kernels/for_each_index.hpp.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>
#include <string_view>

#include "dnn/cuda/launch.hpp"
#include "dnn/kernels/gpu/index.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

template <class F>
DNN_KERNEL void for_each_index_kernel(F f, std::int64_t n) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}

template <class F>
void for_each_index(std::string_view name, std::int64_t n, const F& f) {
  constexpr int threads = 256;
  cu::launch(name, for_each_index_kernel<F>, {blocks_for(n, threads), threads}, f, n);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
