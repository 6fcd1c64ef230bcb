/// The caching allocator of host memory: freed blocks are kept by size and handed out again, so a training loop
/// allocates from the system only in its first iteration.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI {

struct PoolStatistics {
  std::size_t bytes_in_use = 0;
  std::size_t bytes_cached = 0;
  std::size_t peak_bytes = 0;  ///< largest sum of both
};

class HostPool {
 public:
  static constexpr std::size_t alignment = 64;

  /// A block of at least `bytes`, aligned to 64. Where the system has none left, the cached ones go back to it first.
  /// Throws Error saying what was asked and in use.
  void* allocate(std::size_t bytes) {
    const auto c = size_class(bytes);
    std::lock_guard lock(mutex_);
    statistics_.bytes_in_use += c.bytes;
    auto& blocks = free_[c.index];
    if (!blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      statistics_.bytes_cached -= c.bytes;
      return block;
    }
    void* block = ::operator new (c.bytes, std::align_val_t{alignment}, std::nothrow);
    if (!block) {
      free_cached();
      block = ::operator new (c.bytes, std::align_val_t{alignment}, std::nothrow);
    }
    if (!block) {
      statistics_.bytes_in_use -= c.bytes;
      throw Error("[memory] out of host memory: asked for ", c.bytes, " bytes with ", statistics_.bytes_in_use,
                  " in use");
    }
    const auto held = statistics_.bytes_in_use + statistics_.bytes_cached;
    if (held > statistics_.peak_bytes) statistics_.peak_bytes = held;
    return block;
  }

  /// Takes back a block from `allocate(bytes)`.
  void deallocate(void* block, std::size_t bytes) noexcept {
    const auto c = size_class(bytes);
    std::lock_guard lock(mutex_);
    statistics_.bytes_in_use -= c.bytes;
    try {
      free_[c.index].push_back(block);
      statistics_.bytes_cached += c.bytes;
    } catch (const std::bad_alloc&) {
      ::operator delete (block, std::align_val_t{alignment});
    }
  }

  /// Returns every cached block to the system.
  void empty_cache() noexcept {
    std::lock_guard lock(mutex_);
    free_cached();
  }

  PoolStatistics statistics() const noexcept {
    std::lock_guard lock(mutex_);
    return statistics_;
  }

 private:
  struct SizeClass {
    std::size_t index;
    std::size_t bytes;
  };
  /// Multiples of 64 up to 1 KiB, then eight classes to each power of two: at most an eighth is wasted.
  static SizeClass size_class(std::size_t bytes) noexcept {
    if (bytes <= 1024) {
      const auto index = bytes == 0 ? 0 : (bytes - 1) / 64;
      return {index, (index + 1) * 64};
    }
    const auto exponent = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
    const auto step = std::size_t{1} << (exponent - 3);
    const auto eighth = (bytes - 1 - (std::size_t{1} << exponent)) / step;
    return {16 + (exponent - 10) * 8 + eighth, (std::size_t{1} << exponent) + (eighth + 1) * step};
  }

  void free_cached() noexcept {
    for (auto& blocks : free_) {
      for (void* block : blocks) ::operator delete (block, std::align_val_t{alignment});
      blocks.clear();
      blocks.shrink_to_fit();
    }
    statistics_.bytes_cached = 0;
  }

  mutable std::mutex mutex_;
  std::array<std::vector<void*>, 16 + 54 * 8> free_;
  PoolStatistics statistics_;
};

/// The pool of the process. Never destroyed, so that arrays may outlive every static object.
inline HostPool& host_pool() {
  static HostPool& pool = *new HostPool;
  return pool;
}

/// Returns cached memory to the system.
inline void empty_cache() noexcept { host_pool().empty_cache(); }
inline PoolStatistics memory_statistics() noexcept { return host_pool().statistics(); }

}  // namespace dnn::inline DNN_ABI
