/// What could not be sent, on disk, so that it outlives the program.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/text.hpp"
#include "cloud/core/url.hpp"
#include "cloud/tracking/batch.hpp"

namespace cloud::tracking {

/// One program's file in a folder that all programs with the same destination share. Its owner holds a lock on it until
/// it ends, however it ends; then `adopt` gives what is in it to somebody else. One item is one line, so that a line
/// that was cut short by a crash costs no other.
class Spool {
 public:
  explicit Spool(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool() {
    if (fd_ >= 0) ::close(fd_);
  }

  const std::filesystem::path& folder() const { return folder_; }
  bool empty() const { return fd_ < 0; }

  /// Adds the batch and syncs it to the disk. Throws FileError.
  void append(const std::string& run_id, const Batch& batch) {
    if (fd_ < 0) open();
    const std::string text = to_text(run_id, batch);
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t count = ::write(fd_, rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw FileError("write " + file_.string(), std::strerror(errno));
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    ::fdatasync(fd_);
  }

  /// All of it has arrived.
  void clear() {
    if (fd_ < 0) return;
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    ::close(fd_);
    fd_ = -1;
  }

  /// Gives `send` what programs that have ended left in the folder, and removes it. When `send` throws, what is left
  /// stays for the next time.
  void adopt(const std::function<void(const std::string& run_id, const Batch&)>& send) const {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, none)) {
      if (entry.path().extension() != ".spool") continue;
      const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      const FileDescriptor closed{fd};
      if (::flock(fd, LOCK_EX | LOCK_NB) != 0) continue;  // its owner lives
      for (const auto& [run_id, batch] : from_text(read_file(entry.path()))) send(run_id, batch);
      std::error_code ignored;
      std::filesystem::remove(entry.path(), ignored);
    }
  }

  /// Lines of tab-separated fields: kind (metric, param, tag), run, key, then value (metrics: value, time, step).
  static std::string to_text(const std::string& run_id, const Batch& batch) {
    std::string text;
    const auto line = [&](const char* kind, const std::string& key, const std::string& rest) {
      text += std::string(kind) + '\t' + percent_encode(run_id) + '\t' + percent_encode(key) + '\t' + rest + '\n';
    };
    for (const Metric& metric : batch.metrics) {
      line("metric", metric.key,
           number_text(metric.value) + '\t' + std::to_string(metric.timestamp) + '\t' + std::to_string(metric.step));
    }
    for (const Param& param : batch.params) line("param", param.key, percent_encode(param.value));
    for (const Tag& tag : batch.tags) line("tag", tag.key, percent_encode(tag.value));
    return text;
  }

  /// The batches by run; what is no whole line is passed over.
  static std::map<std::string, Batch> from_text(std::string_view text) {
    std::map<std::string, Batch> batches;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      const std::vector<std::string> field = split(text.substr(0, end), '\t');
      text.remove_prefix(end + 1);
      if (field.size() == 6 && field[0] == "metric") {
        const auto value = parse_number<double>(field[3]);
        const auto timestamp = parse_number<Milliseconds>(field[4]);
        const auto step = parse_number<std::int64_t>(field[5]);
        if (!value || !timestamp || !step) continue;
        batches[percent_decode(field[1])].metrics.push_back({percent_decode(field[2]), *value, *timestamp, *step});
      } else if (field.size() == 4 && field[0] == "param") {
        batches[percent_decode(field[1])].params.push_back({percent_decode(field[2]), percent_decode(field[3])});
      } else if (field.size() == 4 && field[0] == "tag") {
        batches[percent_decode(field[1])].tags.push_back({percent_decode(field[2]), percent_decode(field[3])});
      }
    }
    return batches;
  }

 private:
  struct FileDescriptor {
    explicit FileDescriptor(int open_fd) : fd(open_fd) {}
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() { ::close(fd); }
    int fd;
  };

  void open() {
    std::error_code failed;
    std::filesystem::create_directories(folder_, failed);
    if (failed) throw FileError("make " + folder_.string(), failed.message());
    // The lock is taken under a name that nobody adopts.
    file_ = folder_ / random_hex(16);
    fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) throw FileError("write " + file_.string(), std::strerror(errno));
    ::flock(fd_, LOCK_EX | LOCK_NB);
    std::filesystem::path named = file_;
    named += ".spool";
    std::filesystem::rename(file_, named, failed);
    if (!failed) file_ = named;
  }

  std::filesystem::path folder_;
  std::filesystem::path file_;
  int fd_ = -1;
};

}  // namespace cloud::tracking
