/// Pinned memory that the host's data passes through on its way to a GPU: the host need not wait for the copy.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>

#include "dnn/cuda/device.hpp"
#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/stream.hpp"
#include "dnn/memory/pool.hpp"

namespace dnn::inline DNN_ABI {

/// The staging memory of one device. The device must be current.
class StagingPool {
 public:
  /// Larger copies are not worth the memory.
  static constexpr std::size_t largest = 64 << 20;

  /// Copies to the GPU, in order with the stream. `from` may be overwritten at once.
  void upload(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
    if (bytes > largest) {
      cu::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
      return cu::check(cudaStreamSynchronize(stream));  // CUDA does not promise that `from` has been read before
    }
    const auto c = detail::size_class(bytes);
    Block block = take(c);
    std::memcpy(block.memory, from, bytes);
    const auto error = cudaMemcpyAsync(to, block.memory, bytes, cudaMemcpyHostToDevice, stream);
    if (error == cudaSuccess) block.done.record(stream);
    std::lock_guard lock(mutex_);
    blocks_[c.index].push_back(std::move(block));
    cu::check(error);
  }

  /// Returns what no copy uses any more to the system.
  void empty_cache() noexcept {
    std::lock_guard lock(mutex_);
    for (auto& blocks : blocks_) {
      while (!blocks.empty() && cudaEventQuery(blocks.front().done.get()) == cudaSuccess) {
        cudaFreeHost(blocks.front().memory);
        blocks.pop_front();
      }
    }
    cudaGetLastError();  // of a block that is in use
  }

 private:
  struct Block {
    void* memory;
    cu::Event done;  ///< after the copy that used it last
  };

  Block take(detail::SizeClass c) {
    {
      std::lock_guard lock(mutex_);
      auto& blocks = blocks_[c.index];
      if (!blocks.empty() && blocks.front().done.done()) {
        Block block = std::move(blocks.front());
        blocks.pop_front();
        return block;
      }
    }
    Block block{nullptr, cu::Event()};
    cu::check(cudaMallocHost(&block.memory, c.bytes));
    return block;
  }

  std::mutex mutex_;
  std::array<std::deque<Block>, detail::size_classes> blocks_;  ///< oldest first
};

/// Never destroyed, as the pools of memory.
inline StagingPool& staging_pool(int device) {
  static auto& pools = *new std::array<StagingPool, cu::max_devices>;
  return pools[static_cast<std::size_t>(device)];
}

}  // namespace dnn::inline DNN_ABI

#endif
