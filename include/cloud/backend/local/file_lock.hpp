/// Locks that end with their holder, whatever ends it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "cloud/core/error.hpp"

namespace cloud::local {

/// An exclusive lock on a file, held through an open file description: it is released when the last process that has
/// the descriptor closes it or dies, `kill -9` included. A process that is forked while the lock is held holds it too,
/// which is how a lock is handed to a child; `exec` lets go of it.
class FileLock {
 public:
  /// Nothing when somebody else holds it. Makes the file (not its folder).
  static std::optional<FileLock> try_lock(const std::filesystem::path& path) {
    FileLock lock(open(path));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    if (::fcntl(lock.fd_, F_OFD_SETLK, &whole) == 0) return lock;
    if (errno == EAGAIN || errno == EACCES) return std::nullopt;
    throw FileError("lock " + path.string(), std::strerror(errno));
  }
  /// Whether somebody holds it, this process included.
  static bool held(const std::filesystem::path& path) {
    if (::access(path.c_str(), F_OK) != 0) return false;
    const FileLock probe(open(path));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    if (::fcntl(probe.fd_, F_OFD_GETLK, &whole) != 0) throw FileError("ask for a lock", std::strerror(errno));
    return whole.l_type != F_UNLCK;
  }

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock() { release(); }

  /// Closes this process's hold; a child forked meanwhile keeps its own.
  void release() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  static int open(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) throw FileError("open the lock " + path.string(), std::strerror(errno));
    return fd;
  }

  int fd_;
};

}  // namespace cloud::local
