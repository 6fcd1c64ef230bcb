/// Launching kernels, and the shared memory they declare: the same source for nvcc and for the emulator.
///
///     template <class T>
///     DNN_KERNEL void reversed(T* out, const T* in, std::int64_t n) {
///       DNN_SHARED(T, tile, [256]);
///       ...
///       __syncthreads();
///     }
///     cu::launch("reversed", reversed<float>, {cu::blocks_for(n, 256), 256}, out, in, n);
///
/// Kernels are templates, or `inline`. They take pointers and trivially copyable values.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "dnn/core/config.hpp"
#include "dnn/cuda/device.hpp"
#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/stream.hpp"

/// `DNN_SHARED(float, tile, [32][33]);` an array that the threads of a block share, aligned to 128 bytes.
/// `DNN_DYNAMIC_SHARED(float, smem);` a pointer to the bytes that the launch asked for, aligned to 128 as well.
/// `DNN_UNROLL` before a loop of constant length; `DNN_NO_UNROLL` before one that is short as a rule.
/// `DNN_LAUNCH_BOUNDS(256)` after `void`: the largest block, and how many of them a multiprocessor should hold.
/// `DNN_GRID_CONSTANT` after `const` in front of a kernel's parameter: its address is the same for all threads.
#if defined(__CUDACC__)
#define DNN_SHARED(type, name, ...)                                                  \
  __shared__ alignas(128) unsigned char dnn_shared_##name[sizeof(type __VA_ARGS__)]; \
  auto& name = reinterpret_cast<type(&) __VA_ARGS__>(dnn_shared_##name)
#define DNN_DYNAMIC_SHARED(type, name)                                 \
  extern __shared__ __align__(128) unsigned char dnn_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(dnn_dynamic_shared)
#define DNN_LAUNCH_BOUNDS(...) __launch_bounds__(__VA_ARGS__)
#define DNN_GRID_CONSTANT __grid_constant__
#define DNN_UNROLL _Pragma("unroll")
#define DNN_NO_UNROLL _Pragma("unroll 1")
#else
#define DNN_SHARED(type, name, ...)                                \
  static constexpr char dnn_shared_##name = 0;                     \
  auto& name = *static_cast<std::add_pointer_t<type __VA_ARGS__>>( \
      ::dnn::cu::host::block_runner().static_shared(&dnn_shared_##name, sizeof(type __VA_ARGS__)))
#define DNN_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::dnn::cu::host::block_runner().dynamic_shared())
#define DNN_LAUNCH_BOUNDS(...)
#define DNN_GRID_CONSTANT
#define DNN_UNROLL
#define DNN_NO_UNROLL
#endif

namespace dnn::inline DNN_ABI::cu {

/// How many blocks of how many threads; and bytes of dynamic shared memory for each block.
struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t dynamic_shared = 0;
};

/// Blocks that give each of n elements a thread: ceil(n / per_block). Throws CudaError beyond CUDA's 2^31 - 1 blocks.
inline unsigned int blocks_for(std::int64_t n, std::int64_t per_block) {
  const auto blocks = (n + per_block - 1) / per_block;
  if (blocks > 0x7fffffff) throw CudaError("[cuda] ", blocks, " blocks are more than a grid takes");
  return static_cast<unsigned int>(blocks);
}
/// For kernels that walk over their elements in steps of the grid: no more blocks than keep the device busy.
inline unsigned int grid_stride_blocks(std::int64_t n, std::int64_t per_block, int waves = 8) {
  const auto blocks = (n + per_block - 1) / per_block;
  return static_cast<unsigned int>(std::min<std::int64_t>(blocks, std::int64_t{waves} * multiprocessor_count()));
}

namespace detail {
/// Compiled once: CUDA takes any kernel's address as `const void*`. Only the emulation must know its type.
template <class Kernel>
void launch(std::string_view op, Kernel kernel, const LaunchShape& shape, void** parameters) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  const UsingOp scope(op);
  if (shape.dynamic_shared > 48 * 1024) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shape.dynamic_shared)));
  }
  const cudaStream_t stream = current_stream();
  check(cudaLaunchKernel(kernel, shape.grid, shape.block, parameters, shape.dynamic_shared, stream));
  last_launch() = op;
  if (config().debug) check(cudaStreamSynchronize(stream));
}
}  // namespace detail

/// Starts `kernel` on the current stream; a grid of no blocks is nothing to do. `op` names it in errors. In debug mode
/// waits for it. Throws CudaError.
template <class... Parameters>
void launch(std::string_view op, void (*kernel)(Parameters...), const LaunchShape& shape,
            const std::type_identity_t<Parameters>&... values) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "a kernel's parameters are copied as bytes");
  static_assert((sizeof(Parameters) + ... + 0) <= 4000, "a kernel takes at most 4 KB of parameters");
  void* parameters[] = {const_cast<Parameters*>(&values)..., nullptr};
#if DNN_EMULATED
  detail::launch(op, kernel, shape, parameters);
#else
  detail::launch(op, reinterpret_cast<const void*>(kernel), shape, parameters);
#endif
}

}  // namespace dnn::inline DNN_ABI::cu

#endif
