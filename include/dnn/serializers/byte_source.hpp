/// Bytes to be read once, front to back, from a place that has a name: memory, or a member of an archive.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::serializers {

/// A stream whose length is known. `size()` may be relied on for allocation: a source that only claims a length must
/// have made sure that the bytes behind it can hold that much.
class ByteSource {
 public:
  ByteSource(std::string where, std::uint64_t size) : where_(std::move(where)), size_(size) {}
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// File and entry, for messages.
  const std::string& where() const noexcept { return where_; }
  /// The number of bytes of the whole stream.
  std::uint64_t size() const noexcept { return size_; }

  /// Fills `out`. Throws FileError when fewer bytes are left.
  void read(std::span<std::byte> out) {
    while (!out.empty()) {
      const std::size_t n = read_some(out);
      if (n == 0) fail("ends too early");
      out = out.subspan(n);
    }
  }
  /// Throws FileError when bytes are left. At the end an archive member also checks its checksum.
  void expect_end() {
    std::byte rest;
    if (read_some({&rest, 1}) != 0) fail("is longer than its header says");
  }
  [[noreturn]] void fail(std::string_view reason) const { throw FileError("[npz] ", where_, ": ", reason); }

 protected:
  /// At least one byte, zero only at the end.
  virtual std::size_t read_some(std::span<std::byte> out) = 0;

 private:
  std::string where_;
  std::uint64_t size_;
};

/// A source over bytes that somebody else owns.
class MemorySource final : public ByteSource {
 public:
  MemorySource(std::span<const std::byte> bytes, std::string where)
      : ByteSource(std::move(where), bytes.size()), rest_(bytes) {}

 protected:
  std::size_t read_some(std::span<std::byte> out) override {
    const std::size_t n = std::min(out.size(), rest_.size());
    if (n != 0) std::memcpy(out.data(), rest_.data(), n);
    rest_ = rest_.subspan(n);
    return n;
  }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace dnn::inline DNN_ABI::serializers
