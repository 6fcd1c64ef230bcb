/// Reference-counted memory of one device: what arrays that share data share.
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>

#include "dnn/core/abi.hpp"
#include "dnn/core/ref.hpp"
#include "dnn/cuda/graph.hpp"
#include "dnn/memory/device.hpp"
#include "dnn/memory/device_pool.hpp"
#include "dnn/memory/pool.hpp"
#include "dnn/memory/staging.hpp"

#if DNN_CUDA
#include <algorithm>
#include <vector>
#endif

namespace dnn::inline DNN_ABI {

class Storage final : public RefCounted {
 public:
  /// Uninitialised memory for `bytes` bytes on `device`. The header is on the host; there, the data follows it in one
  /// block of the pool.
  [[gnu::noinline]] static Ref<Storage> allocate(std::size_t bytes, Device device = current_device()) {
    if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw Error("[memory] allocation size overflows");
#if DNN_CUDA
    if (device.kind == Device::Kind::cuda) return allocate_on_gpu(bytes, device);
#endif
    auto* block = static_cast<std::byte*>(allocate_host(header_bytes + bytes));
    return Ref<Storage>::of_new(
        std::construct_at(reinterpret_cast<Storage*>(block), block + header_bytes, bytes, device));
  }

  Storage(std::byte* data, std::size_t bytes, Device device) noexcept : data_(data), bytes_(bytes), device_(device) {}

  /// An address that only the device can follow.
  std::byte* data() noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  Device device() const noexcept { return device_; }

#if DNN_CUDA
  /// Says that the current stream uses the memory, which was allocated on another: it is not lent again before what the
  /// stream has been given until the storage dies is done.
  void use_on_current_stream() {
    if (device_.kind != Device::Kind::cuda) return;
    const UsingDevice scope(device_);
    const auto stream = cu::current_stream();
    if (stream == stream_ || std::ranges::find(other_streams_, stream) != other_streams_.end()) return;
    other_streams_.push_back(stream);
  }
#else
  void use_on_current_stream() noexcept {}
#endif

 private:
  static constexpr std::size_t header_bytes = HostPool::alignment;

  [[gnu::noinline]] friend void dispose(Storage* storage) noexcept {
    auto block_bytes = header_bytes + storage->bytes_;
#if DNN_CUDA
    if (storage->device_.kind == Device::Kind::cuda) {
      storage->free_on_gpu();
      block_bytes = header_bytes;
    }
#endif
    std::destroy_at(storage);
    deallocate_host(storage, block_bytes);
  }

#if DNN_CUDA
  static Ref<Storage> allocate_on_gpu(std::size_t bytes, Device device) {
    const UsingDevice scope(device);
    const auto stream = cu::current_stream();
    void* block = allocate_host(header_bytes);
    std::byte* data = nullptr;
    try {
      data = static_cast<std::byte*>(device_pool(device.index).allocate(bytes, stream));
    } catch (...) {
      deallocate_host(block, header_bytes);
      throw;
    }
    auto* storage = std::construct_at(static_cast<Storage*>(block), data, bytes, device);
    storage->stream_ = stream;
    return Ref<Storage>::of_new(storage);
  }
  void free_on_gpu() noexcept {
    for (const cudaStream_t other : other_streams_) {
      // The stream that may have the memory next waits for the others.
      try {
        const UsingDevice scope(device_);
        cu::Event event;
        event.record(other);
        cu::check(cudaStreamWaitEvent(stream_, event.get(), 0));
      } catch (const Error&) {
        cudaDeviceSynchronize();
      }
    }
    device_pool(device_.index).deallocate(data_, bytes_, stream_);
  }

  cudaStream_t stream_ = nullptr;  ///< where the memory may be used again
  std::vector<cudaStream_t> other_streams_;
#endif

  std::byte* data_;
  std::size_t bytes_;
  Device device_;
};
static_assert(sizeof(Storage) <= HostPool::alignment);

/// Copies bytes between devices, in order with the current streams of both. When they go to the host, they are there
/// when the call returns.
#if DNN_CUDA
inline void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) {
  if (bytes == 0) return;
  constexpr auto gpu = Device::Kind::cuda;
  if (to_device.kind != gpu && from_device.kind != gpu) {
    std::memcpy(to, from, bytes);
    return;
  }
  const UsingDevice scope(from_device.kind == gpu ? from_device : to_device);
  const auto stream = cu::current_stream();
  if (to_device.kind == gpu && from_device.kind == gpu && to_device != from_device) {
    // Ordered after what the target's stream still does with this memory, and before what it does next.
    const auto wait_for = [](Device other, cudaStream_t waiting) {
      const cu::Event event = [&] {
        const UsingDevice there(other);  // an event belongs to the device whose streams record it
        cu::Event recorded;
        recorded.record(cu::current_stream());
        return recorded;
      }();
      cu::check(cudaStreamWaitEvent(waiting, event.get(), 0));
    };
    wait_for(to_device, stream);
    cu::check(cudaMemcpyPeerAsync(to, to_device.index, from, from_device.index, bytes, stream));
    const UsingDevice there(to_device);
    wait_for(from_device, cu::current_stream());
    return;
  }
  if (to_device.kind != gpu) cu::refuse_capture("the host reads its result");
  if (from_device.kind != gpu) cu::refuse_capture("a copy of the host's memory");
  if (from_device.kind != gpu) return staging_pool(to_device.index).upload(to, from, bytes, stream);
  cu::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream));
  if (to_device.kind != gpu) cu::check(cudaStreamSynchronize(stream));
}
#else
inline void copy_bytes(void* to, Device, const void* from, Device, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}
#endif

/// Returns cached memory to the system and to the GPUs, but for the small blocks that other threads keep.
inline void empty_cache() noexcept {
  detail::ThreadCache<host_pool>::current().flush();
  detail::ThreadCache<detail::graph_pool>::current().flush();
  host_pool().empty_cache();
  detail::graph_pool().empty_cache();
#if DNN_CUDA
  for (int i = 0; i < cu::device_count(); ++i) {
    device_pool(i).empty_cache();
    staging_pool(i).empty_cache();
  }
#endif
}
/// Of arrays and scratch on a device; graph nodes do not count.
inline PoolStatistics memory_statistics([[maybe_unused]] Device device = {}) noexcept {
#if DNN_CUDA
  if (device.kind == Device::Kind::cuda) return device_pool(device.index).statistics();
#endif
  PoolStatistics statistics = host_pool().statistics();
  const auto kept = detail::ThreadCache<host_pool>::cached_bytes();
  statistics.bytes_in_use -= kept;
  statistics.bytes_cached += kept;
  return statistics;
}

}  // namespace dnn::inline DNN_ABI
