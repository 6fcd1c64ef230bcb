/// The CUDA devices of this machine, and the one that the calling thread works on.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <string>
#include <utility>

#include "dnn/cuda/runtime.hpp"

namespace dnn::inline DNN_ABI::cu {

inline constexpr int max_devices = 64;

/// 0 where there is no GPU or no driver.
inline int device_count() noexcept {
  static const int count = [] {
    int n = 0;
    if (cudaGetDeviceCount(&n) == cudaSuccess) return std::min(n, max_devices);
    cudaGetLastError();
    return 0;
  }();
  return count;
}

inline int current_device() {
  int device = 0;
  check(cudaGetDevice(&device));
  return device;
}
inline void set_device(int device) { check(cudaSetDevice(device)); }

/// Makes a device the calling thread's for a scope.
class [[nodiscard]] UsingCudaDevice {
 public:
  explicit UsingCudaDevice(int device) : previous_(current_device()) {
    if (device != previous_) set_device(device);
  }
  UsingCudaDevice(const UsingCudaDevice&) = delete;
  UsingCudaDevice& operator=(const UsingCudaDevice&) = delete;
  ~UsingCudaDevice() { cudaSetDevice(previous_); }

 private:
  int previous_;
};

inline int attribute(cudaDeviceAttr which, int device = current_device()) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device));
  return value;
}
/// Of the current device; asked once for each device and thread.
inline int multiprocessor_count() {
  static thread_local constinit std::pair<int, int> known{-1, 0};
  if (const int device = current_device(); known.first != device) {
    known = {device, attribute(cudaDevAttrMultiProcessorCount, device)};
  }
  return known.second;
}

inline std::string device_name(int device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device));
  return properties.name;
}

/// Waits for all work of the current device.
inline void synchronize() { check(cudaDeviceSynchronize()); }

}  // namespace dnn::inline DNN_ABI::cu

#endif
