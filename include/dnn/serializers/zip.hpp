/// Zip archives: a thin layer over libzip that names file and member in every error and trusts no declared size.
#pragma once

#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/serializers/atomic_file.hpp"
#include "dnn/serializers/byte_source.hpp"

namespace dnn::inline DNN_ABI::serializers {
namespace detail {

struct ZipDiscard {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};
struct ZipFileClose {
  void operator()(zip_file_t* member) const noexcept { zip_fclose(member); }
};
using ZipHandle = std::unique_ptr<zip_t, ZipDiscard>;

struct ZipError {
  zip_error_t error;
  ZipError() noexcept { zip_error_init(&error); }
  ~ZipError() { zip_error_fini(&error); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  std::string text() { return zip_error_strerror(&error); }
};

/// Opens the archive that `source` gives; consumes the source. `source` is null when making it failed with `error`.
inline ZipHandle zip_open_source(zip_source_t* source, int flags, ZipError& error, const std::string& name) {
  zip_t* archive = source == nullptr ? nullptr : zip_open_from_source(source, flags, &error.error);
  if (archive == nullptr) {
    zip_source_free(source);
    throw FileError("[npz] ", name, ": cannot be read as a zip archive: ", error.text());
  }
  return ZipHandle(archive);
}

/// libzip deletes an archive without members; this writes the end record that it then consists of.
inline void write_empty_zip(const std::filesystem::path& path) {
  constexpr char record[22] = {'P', 'K', 5, 6};
  std::ofstream file(path, std::ios::binary);
  if (!file.write(record, sizeof record).flush()) throw FileError("[npz] ", path.string(), ": cannot be written");
}

class ZipMember final : public ByteSource {
 public:
  ZipMember(zip_file_t* member, std::string where, std::uint64_t size)
      : ByteSource(std::move(where), size), member_(member) {}

 protected:
  std::size_t read_some(std::span<std::byte> out) override {
    const zip_int64_t n = zip_fread(member_.get(), out.data(), out.size());
    if (n < 0) fail(concat("cannot be read: ", std::string_view(zip_file_strerror(member_.get()))));
    return static_cast<std::size_t>(n);
  }

 private:
  std::unique_ptr<zip_file_t, ZipFileClose> member_;
};

}  // namespace detail

/// Reads the members of a zip archive (stored or deflated, ZIP64 too). Members are decompressed as they are read, so a
/// reader decides how much it wants. Not for concurrent use. Throws FileError.
class ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path) : name_(path.string()) {
    detail::ZipError error;
    zip_source_t* source = zip_source_file_create(path.c_str(), 0, -1, &error.error);
    archive_ = detail::zip_open_source(source, ZIP_RDONLY, error, name_);
    std::error_code failed;
    file_size_ = std::filesystem::file_size(path, failed);
    if (failed) throw FileError("[npz] ", name_, ": ", failed.message());
    list_members();
  }
  /// Reads from memory that outlives the reader; `name` stands for the file in messages.
  ZipReader(std::span<const std::byte> bytes, std::string name) : name_(std::move(name)), file_size_(bytes.size()) {
    detail::ZipError error;
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error.error);
    archive_ = detail::zip_open_source(source, ZIP_RDONLY, error, name_);
    list_members();
  }

  /// The archive's file, for messages.
  const std::string& name() const noexcept { return name_; }
  /// The members' names in alphabetical order, and their places. Of members with one name the last counts.
  const std::map<std::string, std::uint64_t, std::less<>>& members() const noexcept { return members_; }
  bool contains(std::string_view member) const { return members_.find(member) != members_.end(); }

  /// Opens a member. Throws when it is missing, encrypted, compressed by an unknown method, or declares a size that its
  /// compressed bytes cannot hold.
  std::unique_ptr<ByteSource> open(std::string_view member) const {
    const std::string where = concat(name_, ": entry '", member, "'");
    const auto found = members_.find(member);
    if (found == members_.end()) throw FileError("[npz] ", where, " is missing");
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive_.get(), found->second, 0, &stat) != 0) throw_error(where);
    constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if ((stat.valid & needed) != needed) throw FileError("[npz] ", where, ": has no size");
    // Deflate cannot exceed a ratio of 1032, so this bounds what a file can make anybody allocate.
    const bool possible =
        stat.comp_size <= file_size_ &&
        (stat.comp_method == ZIP_CM_STORE ? stat.size == stat.comp_size : stat.size / 1032 <= stat.comp_size);
    if (!possible) {
      throw FileError("[npz] ", where, ": declares ", stat.size, " bytes, which ", stat.comp_size,
                      " compressed bytes in a file of ", file_size_, " cannot hold");
    }
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
      throw FileError("[npz] ", where, ": compression method ", stat.comp_method,
                      " is not supported, only 0 and 8 are");
    }
    zip_file_t* file = zip_fopen_index(archive_.get(), found->second, 0);
    if (file == nullptr) throw_error(where);
    return std::make_unique<detail::ZipMember>(file, where, stat.size);
  }

 private:
  void list_members() {
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      const char* member = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS);
      if (member == nullptr) throw_error(name_);
      members_.insert_or_assign(member, static_cast<std::uint64_t>(i));
    }
  }
  [[noreturn]] void throw_error(const std::string& where) const {
    throw FileError("[npz] ", where, ": ", std::string_view(zip_strerror(archive_.get())));
  }

  std::string name_;
  std::uint64_t file_size_ = 0;
  detail::ZipHandle archive_;
  std::map<std::string, std::uint64_t, std::less<>> members_;
};

/// A member to be written: `head` and then `body`, which `owner` keeps alive.
struct ZipEntry {
  std::string name;
  std::string head;
  std::span<const std::byte> body = {};
  std::shared_ptr<const void> owner = nullptr;
};

/// Writes an archive that replaces `path` only when it is complete. Every member is dated 1980-01-01 00:00, so that
/// equal content gives equal bytes. `deflate` compresses (zlib's default level), otherwise members are stored. ZIP64
/// where sizes or counts ask for it. The bodies are not copied. Throws FileError.
inline void write_zip(const std::filesystem::path& path, std::span<const ZipEntry> entries, bool deflate) {
  replace_file(path, [&](const std::filesystem::path& temporary) {
    if (entries.empty()) return detail::write_empty_zip(temporary);
    int code = 0;
    detail::ZipHandle archive(zip_open(temporary.c_str(), ZIP_CREATE | ZIP_EXCL, &code));
    if (!archive) {
      detail::ZipError error;
      zip_error_init_with_code(&error.error, code);
      throw FileError("[npz] ", path.string(), ": cannot be written: ", error.text());
    }
    const auto fail = [&](std::string_view entry) {
      throw FileError("[npz] ", path.string(), entry.empty() ? "" : concat(": entry '", entry, "'"),
                      ": cannot be written: ", std::string_view(zip_strerror(archive.get())));
    };
    for (const ZipEntry& entry : entries) {
      // libzip copies the list of fragments, reads through the pointers at zip_close and never writes to them. It must
      // not see an empty fragment: libzip 1.7 then uses an offset that it did not set.
      std::vector<zip_buffer_fragment_t> fragments;
      for (const auto bytes : {std::as_bytes(std::span(entry.head)), entry.body}) {
        auto* const data = reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data()));
        if (!bytes.empty()) fragments.push_back({data, bytes.size()});
      }
      zip_source_t* source = zip_source_buffer_fragment(archive.get(), fragments.data(), fragments.size(), 0);
      if (source == nullptr) fail(entry.name);
      const zip_int64_t index = zip_file_add(archive.get(), entry.name.c_str(), source, ZIP_FL_ENC_UTF_8);
      if (index < 0) {
        zip_source_free(source);
        fail(entry.name);
      }
      const auto at = static_cast<zip_uint64_t>(index);
      constexpr zip_uint16_t midnight = 0, first_of_1980 = (1 << 5) | 1;
      if (zip_set_file_compression(archive.get(), at, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, deflate ? 6 : 0) != 0 ||
          zip_file_set_dostime(archive.get(), at, midnight, first_of_1980, 0) != 0) {
        fail(entry.name);
      }
    }
    if (zip_close(archive.get()) != 0) fail({});
    archive.release();
  });
}

}  // namespace dnn::inline DNN_ABI::serializers
