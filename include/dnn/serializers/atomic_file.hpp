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
    throw FileError("[file] ", path.string(), ": cannot be opened: ", std::string_view(std::strerror(errno)));
  const int failed = ::fsync(file);
  const int reason = errno;
  ::close(file);
  // Some file systems cannot sync a folder; the rename is then as durable as they make it.
  if (failed != 0 && reason != EINVAL) {
    throw FileError("[file] ", path.string(), ": cannot be synced: ", std::string_view(std::strerror(reason)));
  }
}

/// The file that `path` means: links are followed, so that saving through one changes what it points to. Throws
/// FileError for what cannot be replaced: a folder, a device, a pipe, links in a circle.
inline std::filesystem::path replaceable_file(std::filesystem::path path) {
  std::error_code failed;
  const auto type = std::filesystem::status(path, failed).type();
  if (failed && type == std::filesystem::file_type::none) {
    throw FileError("[file] ", path.string(), ": cannot be replaced: ", failed.message());
  }
  if (type != std::filesystem::file_type::regular && type != std::filesystem::file_type::not_found) {
    throw FileError("[file] ", path.string(), ": cannot be replaced: it is not a regular file");
  }
  while (std::filesystem::is_symlink(path, failed)) {
    auto target = std::filesystem::read_symlink(path, failed);
    if (failed) throw FileError("[file] ", path.string(), ": cannot be read: ", failed.message());
    path = path.parent_path() / target;
  }
  return path;
}

}  // namespace detail

/// Creates the folder `folder`, with those above it, unless it is there, and checks that files can be made in it.
/// Throws FileError that says what is wrong.
inline void create_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder.empty() ? "." : folder;
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  const auto fail = [&](const std::string& reason) {
    throw FileError("[file] folder ", path.string(), ": ", reason, "; choose another folder");
  };
  if (std::error_code unknown; !std::filesystem::is_directory(path, unknown)) {
    fail(concat("cannot be created: ", failed ? failed.message() : "it is a file"));
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    fail(concat("cannot be written to: ", std::string_view(std::strerror(errno))));
  }
}

/// Calls `write(temporary)` with a new name beside `path`, syncs what it wrote and renames it to `path`. At every
/// moment `path` is either as it was or complete; when anything throws, the temporary file is removed and `path`
/// untouched. A `path` that is a symbolic link stays one: the file it points to is replaced. Throws FileError, also
/// when something is there that is not a regular file.
inline void replace_file(const std::filesystem::path& link,
                         const std::function<void(const std::filesystem::path& temporary)>& write) {
  const std::filesystem::path path = detail::replaceable_file(link);
  // Process and counter keep concurrent writers apart, in this program and in others.
  static std::atomic<std::uint32_t> counter{0};
  std::filesystem::path temporary = path;
  temporary += concat(".", ::getpid(), "-", counter.fetch_add(1), ".tmp");
  try {
    write(temporary);
    detail::sync_path(temporary, O_RDONLY);
    std::error_code failed;
    std::filesystem::rename(temporary, path, failed);
    if (failed) throw FileError("[file] ", path.string(), ": cannot be replaced: ", failed.message());
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  detail::sync_path(path.has_parent_path() ? path.parent_path() : ".", O_RDONLY | O_DIRECTORY);
}

}  // namespace dnn::inline DNN_ABI::serializers
