/// Memory of one kernel call, from the current device's caching pool.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstddef>
#include <cstdint>

#include "dnn/cuda/stream.hpp"
#include "dnn/memory/device_pool.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// `count` uninitialised elements on the current device, for what is launched on the current stream until the end of
/// the scope. What comes later in the stream may get the same memory, so nobody has to wait.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : pool_(device_pool(cu::current_device())),
        stream_(cu::current_stream()),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(count == 0 ? nullptr : static_cast<T*>(pool_.allocate(bytes_, stream_))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (data_) pool_.deallocate(data_, bytes_, stream_);
  }

  T* data() const noexcept { return data_; }

 private:
  DevicePool& pool_;
  cudaStream_t stream_;
  std::size_t bytes_;
  T* data_;
};

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
