/// Reference-counted memory of one device: what arrays that share data share.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>

#include "dnn/core/ref.hpp"
#include "dnn/memory/device.hpp"
#include "dnn/memory/pool.hpp"

namespace dnn::inline DNN_ABI {

class Storage final : public RefCounted {
 public:
  /// Uninitialised memory for `bytes` bytes on `device`. Header and data are one block of the pool.
  [[gnu::noinline]] static Ref<Storage> allocate(std::size_t bytes, Device device = current_device()) {
    if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw Error("[memory] allocation size overflows");
    void* block = allocate_host(header_bytes + bytes);
    return Ref<Storage>::of_new(std::construct_at(static_cast<Storage*>(block), bytes, device));
  }

  Storage(std::size_t bytes, Device device) noexcept : bytes_(bytes), device_(device) {}

  std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this) + header_bytes; }
  std::size_t bytes() const noexcept { return bytes_; }
  Device device() const noexcept { return device_; }

 private:
  static constexpr std::size_t header_bytes = HostPool::alignment;

  [[gnu::noinline]] friend void dispose(Storage* storage) noexcept {
    const auto block_bytes = header_bytes + storage->bytes_;
    std::destroy_at(storage);
    deallocate_host(storage, block_bytes);
  }

  std::size_t bytes_;
  Device device_;
};

}  // namespace dnn::inline DNN_ABI
