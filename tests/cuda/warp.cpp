#include "dnn/cuda/warp.hpp"

#if DNN_CUDA

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

namespace {

/// Sums blocks of up to 256 elements.
template <class T>
DNN_KERNEL void sum_blocks(T* out, const T* in, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const T sum = cu::block_reduce(
      i < n ? in[i] : T(0), [](T a, T b) { return a + b; }, T(0));
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

/// Reverses each block through shared memory.
template <class T>
DNN_KERNEL void reverse_blocks(T* out, const T* in, int n) {
  DNN_SHARED(T, tile, [256]);
  DNN_DYNAMIC_SHARED(T, copy);
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) tile[threadIdx.x] = in[i];
  __syncthreads();
  copy[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
  __syncthreads();
  if (i < n) out[i] = copy[threadIdx.x];
}

template <class T>
DNN_KERNEL void count_values(int* counts, const T* in, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(counts + static_cast<int>(in[i]), 1);
}

}  // namespace

TEST_CASE("kernels with barriers, warps, shared memory and atomics", "[cuda]") {
  const auto device = using_device("cuda:0");
#if DNN_EMULATED
  const cu::host::UsingSchedule schedule(GENERATE("forward", "reverse", "random:1", "random:2"));
#endif
  const int n = 1000;
  std::vector<float> values(n);
  for (int i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = static_cast<float>(i % 7);
  const Array x =
      [&] {
        const auto host = using_device("cpu");
        return array_from(values);
      }()
          .to("cuda:0");

  Array sums({4});
  cu::launch("sum_blocks", sum_blocks<float>, {cu::blocks_for(n, 256), 256}, sums.data<float>(), x.data<float>(), n);
  const Array got = sums.to("cpu");
  for (int b = 0; b < 4; ++b) {
    float expected = 0;
    for (int i = b * 256; i < std::min(n, b * 256 + 256); ++i) expected += values[static_cast<std::size_t>(i)];
    CHECK(got.at<float>(b) == expected);
  }

  Array reversed({n});
  cu::launch("reverse_blocks", reverse_blocks<float>, {10, 100, 100 * sizeof(float)}, reversed.data<float>(),
             x.data<float>(), n);
  const Array back = reversed.to("cpu");
  int wrong = 0;
  for (int i = 0; i < n; ++i) {
    wrong += back.at<float>(i) != values[static_cast<std::size_t>(i / 100 * 100 + 99 - i % 100)];
  }
  CHECK(wrong == 0);

  Array counts({7}, int32);
  cu::check(cudaMemsetAsync(counts.bytes(), 0, counts.nbytes(), cu::current_stream()));
  cu::launch("count_values", count_values<float>, {8, 128}, counts.data<std::int32_t>(), x.data<float>(), n);
  const Array counted = counts.to("cpu");
  CHECK(counted.at<std::int32_t>(0) == 143);
  CHECK(counted.at<std::int32_t>(6) == 142);
}

#endif
