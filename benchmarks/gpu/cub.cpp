// CUB's sum, by itself: CUB's namespace `cuda` and ours do not go together in a file that says `using namespace dnn`.
#include <cstddef>
#include <cstdint>
#include <cub/device/device_reduce.cuh>

void cub_sum(void* scratch, std::size_t& scratch_bytes, const float* x, float* sum, std::int64_t n,
             cudaStream_t stream) {
  cub::DeviceReduce::Sum(scratch, scratch_bytes, x, sum, n, stream);
}
