/// The memory of emulated devices: addresses that only the emulator's kernels and copies can follow.
///
/// Guard bytes lie around every allocation and are checked after every kernel; fresh and freed memory is poisoned.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"
#include "dnn/cuda/host/block.hpp"

namespace dnn::inline DNN_ABI::cu::host {

/// The memory of one device. Unreadable but while `open`.
class Arena {
 public:
  static constexpr std::size_t guard_bytes = 256, alignment = 256, checked_bytes = 1024;
  static constexpr std::size_t poisoned_bytes = 16 << 20;  ///< at most, of one allocation: the rest costs no memory

  explicit Arena(std::size_t capacity) : capacity_(capacity) {
    void* memory =
        ::mmap(nullptr, capacity + page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw Error("[emulator] no ", capacity, " bytes of address space for a device");
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    base_ = static_cast<std::byte*>(memory) + (page_bytes - address % page_bytes) % page_bytes;
    ::madvise(base_, capacity, MADV_HUGEPAGE);
    free_[base_] = capacity;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t free_bytes() const noexcept { return capacity_ - used_; }
  bool contains(const void* address) const noexcept { return address >= base_ && address < base_ + capacity_; }

  /// Lets kernels in, or locks everybody out.
  void open(bool accessible) {
    if (accessible == open_) return;
    open_ = accessible;
    if (reached_ > 0) ::mprotect(base_, reached_, accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
  }

  /// Poisoned memory between guards, or null when there is none left. The arena must be open.
  void* allocate(std::size_t bytes) {
    const std::size_t block = guard_bytes + (bytes + alignment - 1) / alignment * alignment + guard_bytes;
    if (bytes > capacity_) return nullptr;
    const auto place = std::find_if(free_.begin(), free_.end(), [&](const auto& f) { return f.second >= block; });
    if (place == free_.end()) return nullptr;
    std::byte* const begin = place->first;
    const std::size_t rest = place->second - block;
    free_.erase(place);
    if (rest > 0) free_[begin + block] = rest;
    used_ += block;
    if (const auto end = static_cast<std::size_t>(begin + block - base_); end > reached_) {
      reached_ = (end + page_bytes - 1) / page_bytes * page_bytes;
      ::mprotect(base_, reached_, PROT_READ | PROT_WRITE);
    }
    std::byte* const data = begin + guard_bytes;
    std::memset(begin, guard, guard_bytes);
    blocks_[data] = {block, 0};
    resize(data, bytes);
    return data;
  }

  /// From now on `bytes` of the block at `data` may be used: what was there is poisoned, and guards follow. The arena
  /// must be open.
  void resize(std::byte* data, std::size_t bytes) {
    Block& block = blocks_.at(data);
    std::memset(data, poison, std::min(std::max(bytes, block.bytes), poisoned_bytes));
    block.bytes = bytes;
    std::memset(data + bytes, guard, block.behind());
  }

  /// Takes back a block; false when there is none at `data`. The arena must be open.
  bool free(void* pointer) {
    const auto found = blocks_.find(static_cast<std::byte*>(pointer));
    if (found == blocks_.end()) return false;
    std::byte* begin = found->first - guard_bytes;
    std::size_t bytes = found->second.whole;
    used_ -= bytes;
    std::memset(begin, poison, std::min(bytes, poisoned_bytes));
    blocks_.erase(found);
    auto after = free_.lower_bound(begin);
    if (after != free_.end() && begin + bytes == after->first) {
      bytes += after->second;
      after = free_.erase(after);
    }
    if (after != free_.begin()) {
      if (const auto before = std::prev(after); before->first + before->second == begin) {
        before->second += bytes;
        return true;
      }
    }
    free_[begin] = bytes;
    return true;
  }

  /// Whether [data, data + bytes) lies in one allocation; with `exactly`, in the part of it that may be used by now.
  bool holds(const void* data, std::size_t bytes, bool exactly) const noexcept {
    const auto* p = static_cast<const std::byte*>(data);
    auto after = blocks_.upper_bound(const_cast<std::byte*>(p));
    if (after == blocks_.begin()) return false;
    const auto& [begin, block] = *std::prev(after);
    return p + bytes <= begin + (exactly ? block.bytes : block.whole - 2 * guard_bytes);
  }

  /// Says what was written that nobody owns. The arena must be open.
  std::optional<std::string> damage() {
    for (const auto& [data, block] : blocks_) {
      if (!is_guard(data - guard_bytes, guard_bytes)) return report(data, block, "before");
      if (!is_guard(data + block.bytes, block.behind())) return report(data, block, "behind");
    }
    return std::nullopt;
  }

 private:
  struct Block {
    std::size_t whole;  ///< with its guards
    std::size_t bytes;  ///< that may be used

    std::size_t behind() const noexcept { return std::min(whole - guard_bytes - bytes, checked_bytes); }
  };

  static bool is_guard(const std::byte* p, std::size_t bytes) noexcept {
    return *p == std::byte{guard} && std::memcmp(p, p + 1, bytes - 1) == 0;
  }
  /// Mends the guards, so that it is said once.
  static std::string report(std::byte* data, const Block& block, const char* side) {
    std::memset(data - guard_bytes, guard, guard_bytes);
    std::memset(data + block.bytes, guard, block.behind());
    return concat("wrote ", side, " an allocation of ", block.bytes, " bytes");
  }

  /// Huge pages: opening and closing takes microseconds, not milliseconds.
  static constexpr std::size_t page_bytes = 2 << 20;

  std::byte* base_ = nullptr;
  std::size_t capacity_, used_ = 0, reached_ = 0;
  bool open_ = false;
  std::map<std::byte*, Block> blocks_;
  std::map<std::byte*, std::size_t> free_;
};

}  // namespace dnn::inline DNN_ABI::cu::host

#endif
