/// The CUDA runtime, with checked calls: the real one under nvcc, the emulated one of cuda/host/ elsewhere.
///
///     cu::check(cudaMemsetAsync(p, 0, bytes, cu::current_stream()));
///
/// The namespace is `cu` because CUDA's own libraries have `::cuda`: with `using namespace dnn`, code that nvcc
/// generates for Thrust's kernels would have two to choose from.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#if defined(__CUDACC__)
#if defined(CUDA_API_PER_THREAD_DEFAULT_STREAM)
#error \
    "dnn: threads hand each other arrays in the order of CUDA's legacy default stream; compile without \
--default-stream per-thread"
#endif
#include <cuda_runtime.h>
#else
#include "dnn/cuda/host/runtime.hpp"
#endif

#include <string>
#include <string_view>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"
#include "dnn/cuda/op.hpp"

namespace dnn::inline DNN_ABI::cu {

namespace detail {

/// The kernel that this thread launched last: the first suspect of an error that shows later.
inline std::string& last_launch() {
  static thread_local std::string name;
  return name;
}

/// Errors of running kernels, after which the device does nothing more for this process. Between their numbers are
/// those of calls, such as a launch with too many registers.
constexpr bool is_sticky(cudaError_t error) noexcept {
  constexpr int launch_timeout = 702, assertion = 710, hardware_stack_error = 714;
  return error == cudaErrorIllegalAddress || error == launch_timeout || error == assertion ||
         (error >= hardware_stack_error && error <= cudaErrorLaunchFailure);
}

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_error(cudaError_t error, std::string_view what,
                                                               const Where& where) {
  cudaGetLastError();  // an error that does not stay is reported once
  std::string text = concat("[", what.empty() ? std::string_view("cuda") : what, "] ", cudaGetErrorName(error), ": ",
                            cudaGetErrorString(error), " (", where, ")");
  if (is_sticky(error)) {
    text += "; it may come from a kernel launched earlier, and the device stays unusable until the program restarts";
    if (!last_launch().empty()) text += concat("; launched last: ", last_launch());
    text += "; in debug mode every launch is waited for and named";
  }
  constexpr int no_kernel_image = 209, unsupported_ptx = 222;
  if (error == no_kernel_image || error == unsupported_ptx) {
    text += "; compile for this GPU: nvcc -arch=native, or CMAKE_CUDA_ARCHITECTURES=native";
  }
#if DNN_EMULATED
  if (const auto fault = host::fault_text(); !fault.empty()) text += concat("; emulator: ", fault);
#endif
  throw CudaError(text);
}

}  // namespace detail

/// Throws CudaError with the error's text, the current operation, file and line unless `error` is cudaSuccess.
inline void check(cudaError_t error, Where where = Where::here()) {
  if (error != cudaSuccess) [[unlikely]]
    detail::throw_error(error, current_op(), where);
}

}  // namespace dnn::inline DNN_ABI::cu

#endif
