/// The caching allocator of host memory: freed blocks are kept by size and handed out again, so a training loop
/// allocates from the system only in its first iteration. Small blocks, which graphs are made of, are kept by each
/// thread for itself: they come and go without a lock.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "dnn/core/abi.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI {

struct PoolStatistics {
  std::size_t bytes_in_use = 0;
  std::size_t bytes_cached = 0;
  std::size_t peak_bytes = 0;  ///< largest sum of both
};

namespace detail {
struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};
/// Multiples of 64 up to 1 KiB, then eight classes to each power of two: at most an eighth is wasted.
constexpr SizeClass size_class(std::size_t bytes) noexcept {
  if (bytes <= 1024) {
    const auto index = bytes == 0 ? 0 : (bytes - 1) / 64;
    return {index, (index + 1) * 64};
  }
  const auto exponent = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  const auto step = std::size_t{1} << (exponent - 3);
  const auto eighth = (bytes - 1 - (std::size_t{1} << exponent)) / step;
  return {16 + (exponent - 10) * 8 + eighth, (std::size_t{1} << exponent) + (eighth + 1) * step};
}
inline constexpr std::size_t size_classes = 16 + 54 * 8;
/// The size of a class.
constexpr std::size_t class_bytes(std::size_t index) noexcept {
  if (index < 16) return (index + 1) * 64;
  const auto exponent = (index - 16) / 8 + 10, eighth = (index - 16) % 8;
  return (std::size_t{1} << exponent) + (eighth + 1) * (std::size_t{1} << (exponent - 3));
}
}  // namespace detail

class HostPool {
 public:
  static constexpr std::size_t alignment = 64;

  /// A block of at least `bytes`, aligned to 64. Where the system has none left, the cached ones go back to it first.
  /// Throws Error saying what was asked and in use.
  void* allocate(std::size_t bytes) {
    const auto c = detail::size_class(bytes);
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
    const auto c = detail::size_class(bytes);
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
  void free_cached() noexcept {
    for (auto& blocks : free_) {
      for (void* block : blocks) ::operator delete (block, std::align_val_t{alignment});
      blocks.clear();
      blocks.shrink_to_fit();
    }
    statistics_.bytes_cached = 0;
  }

  mutable std::mutex mutex_;
  std::array<std::vector<void*>, detail::size_classes> free_;
  PoolStatistics statistics_;
};

/// The pool of the process. Never destroyed, so that arrays may outlive every static object.
inline HostPool& host_pool() {
  static HostPool& pool = *new HostPool;
  return pool;
}

namespace detail {

/// The pool of graph nodes: apart, so that statistics are of arrays.
inline HostPool& graph_pool() {
  static HostPool& pool = *new HostPool;
  return pool;
}

/// Memory of a pool; blocks of up to 1 KiB that a thread frees are kept for its next allocations.
template <HostPool& (*pool)()>
class ThreadCache {
 public:
  static constexpr std::size_t largest = 1024;

  void* allocate(std::size_t bytes) {
    if (bytes > largest) return pool().allocate(bytes);
    List& list = list_of(bytes);
    Block* block = list.first;
    if (!block) [[unlikely]]
      return allocate_shared(bytes);
    list.first = block->next;
    list.set_count(list.count() - 1);
    return block;
  }
  void deallocate(void* memory, std::size_t bytes) noexcept {
    if (bytes > largest) return pool().deallocate(memory, bytes);
    List& list = list_of(bytes);
    if (list.count() >= limit_) [[unlikely]]
      return pool().deallocate(memory, bytes);
    list.first = std::construct_at(static_cast<Block*>(memory), Block{list.first});
    list.set_count(list.count() + 1);
  }
  /// Gives everything to the pool.
  void flush() noexcept {
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      while (Block* block = lists_[i].first) {
        lists_[i].first = block->next;
        pool().deallocate(block, (i + 1) * granule);
      }
      lists_[i].set_count(0);
    }
  }

  /// Bytes in the lists of all threads.
  static std::size_t cached_bytes() noexcept {
    std::lock_guard lock(registry().mutex);
    std::size_t bytes = 0;
    for (const ThreadCache* cache = registry().first; cache; cache = cache->next_) {
      for (std::size_t i = 0; i < cache->lists_.size(); ++i) bytes += cache->lists_[i].count() * (i + 1) * granule;
    }
    return bytes;
  }

  static ThreadCache& current() noexcept {
    // Not destroyed when the thread ends: destructors that run later than its `Registration` still free memory.
    static thread_local constinit ThreadCache cache;
    return cache;
  }

 private:
  static constexpr std::size_t granule = HostPool::alignment;
  static constexpr std::uint32_t most = 4096;

  struct Block {
    Block* next;
  };
  struct List {
    Block* first = nullptr;
    /// Changed by its thread alone, but read for statistics by others.
    std::atomic<std::uint32_t> size{0};

    std::uint32_t count() const noexcept { return size.load(std::memory_order_relaxed); }
    void set_count(std::uint32_t n) noexcept { size.store(n, std::memory_order_relaxed); }
  };
  struct Registry {
    std::mutex mutex;
    ThreadCache* first = nullptr;
  };
  /// From a thread's first allocation to its end.
  struct Registration {
    ThreadCache& cache;

    explicit Registration(ThreadCache& own) : cache(own) {
      std::lock_guard lock(registry().mutex);
      cache.next_ = registry().first;
      registry().first = &cache;
      cache.limit_ = most;
    }
    ~Registration() {
      cache.limit_ = 0;
      cache.flush();
      std::lock_guard lock(registry().mutex);
      ThreadCache** link = &registry().first;
      while (*link != &cache) link = &(*link)->next_;
      *link = cache.next_;
    }
  };
  static Registry& registry() noexcept {
    static Registry& registry = *new Registry;
    return registry;
  }

  List& list_of(std::size_t bytes) noexcept { return lists_[bytes == 0 ? 0 : (bytes - 1) / granule]; }
  [[gnu::noinline, gnu::cold]] void* allocate_shared(std::size_t bytes) {
    static thread_local Registration registration(*this);
    return pool().allocate(bytes);
  }

  std::array<List, largest / granule> lists_{};
  std::uint32_t limit_ = 0;
  ThreadCache* next_ = nullptr;
};

}  // namespace detail

/// Memory of the process's pool: at least `bytes`, aligned to 64. Throws Error as `HostPool::allocate`.
inline void* allocate_host(std::size_t bytes) { return detail::ThreadCache<host_pool>::current().allocate(bytes); }
/// Takes back, on any thread, what `allocate_host(bytes)` gave.
inline void deallocate_host(void* memory, std::size_t bytes) noexcept {
  detail::ThreadCache<host_pool>::current().deallocate(memory, bytes);
}

/// Base of objects that come and go with every operation: their memory is kept. (Under AddressSanitizer it is not, so
/// that it sees who uses them too late.)
struct Pooled {
#if !DNN_ADDRESS_SANITIZER
  // The sized delete below is its counterpart, which the check does not know.
  static void* operator new(std::size_t bytes) {  // NOLINT(misc-new-delete-overloads)
    return detail::ThreadCache<detail::graph_pool>::current().allocate(bytes);
  }
  static void operator delete(void* memory, std::size_t bytes) noexcept {
    detail::ThreadCache<detail::graph_pool>::current().deallocate(memory, bytes);
  }
#endif
};

}  // namespace dnn::inline DNN_ABI
