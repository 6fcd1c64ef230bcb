/// The CUDA devices of this machine, and the one that the calling thread works on.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <string>
#include <utility>

#include "dnn/core/text.hpp"
#include "dnn/cuda/runtime.hpp"

namespace dnn::inline DNN_ABI::cu {

inline constexpr int max_devices = 64;

namespace detail {
/// How many there are, and what CUDA said when it was asked.
inline const std::pair<int, cudaError_t>& counted_devices() noexcept {
  static const auto counted = [] {
    int n = 0;
    const auto answer = cudaGetDeviceCount(&n);
    cudaGetLastError();
    return std::pair(answer == cudaSuccess ? std::min(n, max_devices) : 0, answer);
  }();
  return counted;
}
}  // namespace detail

/// 0 where there is no GPU or no driver for it.
inline int device_count() noexcept { return detail::counted_devices().first; }
/// `2 CUDA devices`, or why there are none: the driver may be too old.
inline std::string devices_text() {
  const auto& [count, answer] = detail::counted_devices();
  return answer == cudaSuccess ? concat(count, " CUDA devices")
                               : concat("no CUDA devices: ", cudaGetErrorString(answer));
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

/// Whether the current device has what cuda/mma.hpp asks for: compute capability 8.0. On others its functions are slow.
inline bool has_tensor_cores() { return attribute(cudaDevAttrComputeCapabilityMajor) >= 8; }

inline std::string device_name(int device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device));
  return properties.name;
}

/// Waits for all work of the current device.
inline void synchronize() { check(cudaDeviceSynchronize()); }

}  // namespace dnn::inline DNN_ABI::cu

#endif
