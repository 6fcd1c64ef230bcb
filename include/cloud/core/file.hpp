/// Files: reading, replacing only when complete, and names from elsewhere that must stay inside a folder.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "cloud/core/error.hpp"
#include "cloud/core/text.hpp"

namespace cloud {

namespace fs = std::filesystem;

inline std::string read_file(const fs::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) throw FileError("read " + path.string(), std::strerror(errno));
  std::string bytes;
  char buffer[1 << 14];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) bytes.append(buffer, count);
  if (std::ferror(file.get()) != 0) throw FileError("read " + path.string(), "reading failed");
  return bytes;
}

/// A name beside `path` that no other writer, here or in another process, uses.
inline fs::path temporary_beside(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  fs::path temporary = path;
  temporary += "." + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1)) + ".tmp";
  return temporary;
}

inline void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);  // some file systems cannot: the rename is then as durable as they make it
  ::close(fd);
}

/// Calls `write(temporary)`, syncs what it wrote and renames it to `path`: at every moment `path` is as it was or
/// complete.
inline void replace_file(const fs::path& path, const std::function<void(const fs::path& temporary)>& write) {
  const fs::path temporary = temporary_beside(path);
  try {
    write(temporary);
    const int fd = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw FileError("write " + path.string(), std::strerror(errno));
    const bool synced = ::fsync(fd) == 0 || errno == EINVAL;
    ::close(fd);
    if (!synced) throw FileError("write " + path.string(), "it could not be synced to the disk");
    std::error_code failed;
    fs::rename(temporary, path, failed);
    if (failed) throw FileError("write " + path.string(), failed.message());
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  sync_folder(path.parent_path());
}

/// Writes `bytes` to `path` with these permissions (0600 for anything that holds a secret), complete or not at all.
inline void write_file(const fs::path& path, std::string_view bytes, unsigned mode = 0644) {
  replace_file(path, [&](const fs::path& temporary) {
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) throw FileError("write " + path.string(), std::strerror(errno));
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        const int reason = errno;
        ::close(fd);
        throw FileError("write " + path.string(), std::strerror(reason));
      }
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    ::close(fd);
  });
}

/// Copies a file to `to`, complete or not at all; makes the folders above it.
inline void copy_whole_file(const fs::path& from, const fs::path& to) {
  if (to.has_parent_path()) fs::create_directories(to.parent_path());
  replace_file(to, [&](const fs::path& temporary) {
    std::error_code failed;
    fs::copy_file(from, temporary, failed);
    if (failed) throw FileError("copy " + from.string() + " to " + to.string(), failed.message());
  });
}

/// Whether a name given by someone else is a plain relative path: parts joined by `/`, none of them empty, `.` or `..`,
/// no backslash, drive letter or control character, at most 1024 bytes and 255 a part.
inline bool is_safe_name(std::string_view name) {
  if (name.empty() || name.size() > 1024) return false;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  }
  for (const std::string& part : split(name, '/')) {
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
  }
  return !(name.size() >= 2 && name[1] == ':');
}

/// `folder / name` for a name from the network or another program. Throws FileError when the name is not safe, or when
/// a symbolic link stands on the way from `folder` to it.
inline fs::path safe_join(const fs::path& folder, std::string_view name) {
  if (!is_safe_name(name)) {
    std::string shown(name.substr(0, 200));
    for (char& c : shown) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    throw FileError("write '" + shown + "' below " + folder.string(), "the name could leave the folder");
  }
  fs::path path = folder;
  for (const std::string& part : split(name, '/')) {
    path /= part;
    std::error_code ignored;
    if (fs::is_symlink(fs::symlink_status(path, ignored))) {
      throw FileError("write '" + std::string(name) + "' below " + folder.string(),
                      path.string() + " is a symbolic link");
    }
  }
  return path;
}

}  // namespace cloud
