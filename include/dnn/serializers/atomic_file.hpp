/// Replacing a file only once its successor is complete.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::serializers {
namespace detail {

/// Hands what was written to `path` (a file or a folder) to the disk.
inline void sync_path(const std::filesystem::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0)
    throw FileError(concat("[file] ", path.string(), ": cannot be opened: ", std::string_view(std::strerror(errno))));
  const int failed = ::fsync(file);
  const int reason = errno;
  ::close(file);
  // Some file systems cannot sync a folder; the rename is then as durable as they make it.
  if (failed != 0 && reason != EINVAL) {
    throw FileError(concat("[file] ", path.string(), ": cannot be synced: ", std::string_view(std::strerror(reason))));
  }
}

}  // namespace detail

/// Calls `write(temporary)` with a new name beside `path`, syncs what it wrote and renames it to `path`. At every
/// moment `path` is either as it was or complete; when anything throws, the temporary file is removed and `path`
/// untouched. Throws FileError.
inline void replace_file(const std::filesystem::path& path,
                         const std::function<void(const std::filesystem::path& temporary)>& write) {
  // Process and counter keep concurrent writers apart, in this program and in others.
  static std::atomic<std::uint32_t> counter{0};
  std::filesystem::path temporary = path;
  temporary += concat(".", ::getpid(), "-", counter.fetch_add(1), ".tmp");
  try {
    write(temporary);
    detail::sync_path(temporary, O_RDONLY);
    std::error_code failed;
    std::filesystem::rename(temporary, path, failed);
    if (failed) throw FileError(concat("[file] ", path.string(), ": cannot be replaced: ", failed.message()));
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  detail::sync_path(path.has_parent_path() ? path.parent_path() : ".", O_RDONLY | O_DIRECTORY);
}

}  // namespace dnn::inline DNN_ABI::serializers
