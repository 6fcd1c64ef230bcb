/// The caching allocator of CUDA memory. Blocks are kept by stream and size; a block that is given back may be handed
/// out again at once on the same stream, because the work there is in order.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"
#include "dnn/cuda/device.hpp"
#include "dnn/cuda/graph.hpp"
#include "dnn/cuda/op.hpp"
#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/stream.hpp"
#include "dnn/memory/pool.hpp"

namespace dnn::inline DNN_ABI {

/// The pool of one device. The device must be current.
class DevicePool {
 public:
  /// A block of at least `bytes`, aligned to 256, for use on `stream`. Where the device has none left, the cached ones
  /// go back to it first. Throws DeviceError saying what was asked, held and free, and which operation asked;
  /// CaptureError while a graph is recorded.
  void* allocate(std::size_t bytes, cudaStream_t stream) {
    const auto c = detail::size_class(bytes);
    std::lock_guard lock(mutex_);
    const cu::GraphMemory* const graph = cu::capturing_memory();
    auto& blocks = (graph ? of_graph(*graph) : streams_[stream])[c.index];
    void* block = nullptr;
    if (!blocks.empty()) {
      block = blocks.back();
      blocks.pop_back();
      statistics_.bytes_cached -= c.bytes;
    } else {
      block = from_device(c.bytes);
      if (graph) graph_of_[block] = **graph;
    }
    statistics_.bytes_in_use += c.bytes;
    statistics_.peak_bytes = std::max(statistics_.peak_bytes, statistics_.bytes_in_use + statistics_.bytes_cached);
#if DNN_EMULATED
    cu::host::fresh(block, bytes, stream);
#endif
    return block;
  }

  /// Takes back a block from `allocate(bytes, stream)`, for whatever `stream` is given from now on; what other streams
  /// still do with it must be waited for by `stream`. A block that was allocated, or is given back, while a graph is
  /// recorded, remains the graph's.
  void deallocate(void* block, std::size_t bytes, cudaStream_t stream) noexcept {
    const auto c = detail::size_class(bytes);
    const cu::GraphMemory* const graph = cu::capturing_memory();
    std::lock_guard lock(mutex_);
    statistics_.bytes_in_use -= c.bytes;
    try {
      if (graph && !graph_of_.contains(block)) {
        of_graph(*graph);
        graph_of_[block] = **graph;
      }
      const auto owner = graph_of_.find(block);
      auto& lists = owner == graph_of_.end() ? streams_[stream] : graphs_.at(owner->second).free;
#if DNN_EMULATED
      if (graph || owner == graph_of_.end()) cu::host::fresh(block, 0, graph ? cu::current_stream() : stream);
#endif
      lists[c.index].push_back(block);
      statistics_.bytes_cached += c.bytes;
    } catch (const std::bad_alloc&) {
      cudaFree(block);
    }
  }

  /// Returns every cached block to the device, but for those of graphs that are alive.
  void empty_cache() noexcept {
    std::lock_guard lock(mutex_);
    free_cached();
  }

  PoolStatistics statistics() const noexcept {
    std::lock_guard lock(mutex_);
    return statistics_;
  }

 private:
  void* from_device(std::size_t bytes) {
    void* block = nullptr;
    auto error = cudaMalloc(&block, bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      cu::refuse_capture("the device has no memory left");  // and cudaFree, which waits, is not for a recording
      free_cached();
      error = cudaMalloc(&block, bytes);
    }
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      std::size_t free = 0, total = 0;
      cudaMemGetInfo(&free, &total);
      const auto op = cu::current_op();
      throw DeviceError("[memory] out of memory on cuda:", cu::current_device(), ": ",
                        op.empty() ? std::string_view("the program") : op, " asked for ", bytes, " bytes; ",
                        statistics_.bytes_in_use, " are held by arrays, ", free, " of ", total, " are free");
    }
    cu::check(error);
    return block;
  }

  /// By size.
  using Lists = std::array<std::vector<void*>, detail::size_classes>;
  struct GraphBlocks {
    std::weak_ptr<const std::uint64_t> alive;
    Lists free;
  };

  Lists& of_graph(const cu::GraphMemory& memory) {
    auto& blocks = graphs_[*memory];
    blocks.alive = memory;
    return blocks.free;
  }
  void free_lists(Lists& lists) noexcept {
    for (std::size_t i = 0; i < lists.size(); ++i) {
      for (void* block : lists[i]) {
        cudaFree(block);
        graph_of_.erase(block);
      }
      statistics_.bytes_cached -= lists[i].size() * detail::class_bytes(i);
      lists[i].clear();
    }
  }
  void free_cached() noexcept {
    for (auto& [stream, lists] : streams_) free_lists(lists);
    for (auto& [graph, blocks] : graphs_) {
      if (blocks.alive.expired()) free_lists(blocks.free);
    }
  }

  mutable std::mutex mutex_;
  std::map<cudaStream_t, Lists> streams_;
  std::map<std::uint64_t, GraphBlocks> graphs_;
  std::unordered_map<void*, std::uint64_t> graph_of_;
  PoolStatistics statistics_;
};

/// The pool of a device. Never destroyed, so that arrays may outlive every static object.
inline DevicePool& device_pool(int device) {
  static auto& pools = *new std::array<DevicePool, cu::max_devices>;
  return pools[static_cast<std::size_t>(device)];
}

}  // namespace dnn::inline DNN_ABI

#endif
