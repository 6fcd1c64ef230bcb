/// Downloads that survive bad networks: several mirrors, resuming, whole-file checks. The only user of libcurl in dnn.
#pragma once

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::datasets {

struct DownloadOptions {
  /// Looks at the whole file before it gets its name; throws FileError when it is not what it should be.
  std::function<void(std::span<const std::uint8_t>)> check = nullptr;
  std::int64_t max_bytes = std::int64_t{1} << 30;  ///< a longer answer is refused
  long connect_timeout_s = 10;
  long stall_timeout_s = 20;  ///< gives up on a mirror that sends nothing for so long
  bool progress = true;       ///< a bar on standard error, if that is a terminal
};

namespace detail {

/// `path.part`, open and locked against other processes, so that two programs never write the same bytes twice.
class PartFile {
 public:
  explicit PartFile(const std::filesystem::path& path) : path_(path) {
    while (true) {
      fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
      if (fd_ < 0) throw fail("cannot be opened");
      if (::flock(fd_, LOCK_EX) != 0) {
        const auto error = fail("cannot be locked");
        ::close(fd_);
        throw error;
      }
      // Whoever held the lock before may have renamed or removed the file: then start over with a new one.
      struct stat opened {
      }, named{};
      if (::fstat(fd_, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino) return;
      ::close(fd_);
    }
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    if (size() == 0) ::unlink(path_.c_str());
    ::close(fd_);
  }

  std::int64_t size() const noexcept {
    struct stat now {};
    return ::fstat(fd_, &now) == 0 ? std::int64_t{now.st_size} : 0;
  }
  void clear() {
    if (::ftruncate(fd_, 0) != 0) throw fail("cannot be truncated");
  }
  /// False when the disk refuses.
  bool append(std::span<const std::uint8_t> bytes) noexcept {
    if (::lseek(fd_, 0, SEEK_END) < 0) return false;
    while (!bytes.empty()) {
      const auto written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
  }
  std::vector<std::uint8_t> contents() const {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size()));
    for (std::size_t done = 0; done < bytes.size();) {
      const auto got = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw fail("cannot be read");
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }
  void rename_to(const std::filesystem::path& path) {
    if (::fsync(fd_) != 0) throw fail("cannot be written to disk");
    if (::rename(path_.c_str(), path.c_str()) != 0) throw fail(concat("cannot be renamed to ", path.string()));
  }

 private:
  FileError fail(std::string_view what) const {
    return FileError("[download] ", path_.string(), ": ", what, ": ", std::string_view(std::strerror(errno)));
  }

  std::filesystem::path path_;
  int fd_ = -1;
};

/// One line on a terminal, redrawn ten times a second: `name [######....]  60 %  6.0 of 9.9 MB, 2.1 MB/s`.
class DownloadBar {
 public:
  DownloadBar(std::string name, bool wanted) : name_(std::move(name)), shown_(wanted && ::isatty(STDERR_FILENO) == 1) {}
  DownloadBar(const DownloadBar&) = delete;
  DownloadBar& operator=(const DownloadBar&) = delete;
  ~DownloadBar() {
    if (drawn_) std::fputc('\n', stderr);
  }

  /// `fresh` of the `done` bytes came since the bar was made.
  void update(std::int64_t done, std::int64_t total, std::int64_t fresh) {
    const auto now = Clock::now();
    if (!shown_ || (drawn_ && now - last_ < std::chrono::milliseconds(100) && done != total)) return;
    last_ = now;
    drawn_ = true;
    const double seconds = std::max(std::chrono::duration<double>(now - start_).count(), 1e-3);
    const double rate = static_cast<double>(fresh) / seconds / 1e6;
    std::fprintf(stderr, "\r%s ", name_.c_str());
    if (total > 0) {
      constexpr std::int64_t width = 30;
      const auto filled = static_cast<std::size_t>(std::clamp<std::int64_t>(width * done / total, 0, width));
      const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
      std::fprintf(stderr, "[%s] %3d %%  %.1f of %.1f MB", bar.c_str(), static_cast<int>(100 * done / total),
                   static_cast<double>(done) / 1e6, static_cast<double>(total) / 1e6);
    } else {
      std::fprintf(stderr, "%.1f MB", static_cast<double>(done) / 1e6);
    }
    std::fprintf(stderr, ", %.1f MB/s \x1b[K", rate);
    std::fflush(stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::string name_;
  bool shown_, drawn_ = false;
  Clock::time_point start_ = Clock::now(), last_{};
};

/// One request that continues `part`.
class Transfer {
 public:
  Transfer(const std::string& url, PartFile& part, const DownloadOptions& options)
      : part_(part),
        max_bytes_(options.max_bytes),
        offset_(part.size()),
        bar_(url.substr(url.rfind('/') + 1), options.progress) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    curl_.reset(initialised == CURLE_OK ? curl_easy_init() : nullptr);
    if (!curl_) throw FileError("[download] libcurl could not be initialised");
    CURL* curl = curl_.get();
    // A mirror given as http:// is a choice of the caller; nothing leads from https to http.
    const char* protocols = url.starts_with("http://") ? "http,https" : "https";
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "dnn/" DNN_VERSION);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, options.connect_timeout_s);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, options.stall_timeout_s);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message_);
    if (offset_ > 0) curl_easy_setopt(curl, CURLOPT_RANGE, concat(offset_, "-").c_str());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::show);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
  }

  /// Empty when the server says that everything has come; otherwise why not.
  std::string run() {
    const CURLcode code = curl_easy_perform(curl_.get());
    if (code == CURLE_OK) return {};
    constexpr long range_not_satisfiable = 416;  // nothing is missing, or the part is not of this file: the check tells
    if (status() == range_not_satisfiable && offset_ > 0) return {};
    if (!problem_.empty()) return problem_;
    return message_[0] ? message_ : curl_easy_strerror(code);
  }
  bool resumed() const noexcept { return offset_ > 0; }
  std::int64_t received() const noexcept { return received_; }

 private:
  static std::size_t receive(const char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.append({reinterpret_cast<const std::uint8_t*>(data), size * count}) ? size * count : 0;
  }
  static int show(void* self, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (now > 0) transfer.bar_.update(transfer.offset_ + now, total > 0 ? transfer.offset_ + total : 0, now);
    return 0;
  }

  bool append(std::span<const std::uint8_t> bytes) {
    constexpr long partial_content = 206;
    if (received_ == 0 && offset_ > 0 && status() != partial_content) {
      part_.clear();  // the server ignores ranges and sends the file from its start
      offset_ = 0;
    }
    received_ += static_cast<std::int64_t>(bytes.size());
    if (offset_ + received_ > max_bytes_) {
      problem_ = concat("sends more than ", max_bytes_, " bytes");
    } else if (!part_.append(bytes)) {
      problem_ = concat("cannot be saved: ", std::string_view(std::strerror(errno)));
    }
    return problem_.empty();
  }
  long status() const {
    long code = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

  struct Cleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  };
  std::unique_ptr<CURL, Cleanup> curl_;
  PartFile& part_;
  std::int64_t max_bytes_, offset_, received_ = 0;
  DownloadBar bar_;
  std::string problem_;
  char message_[CURL_ERROR_SIZE] = {};
};

}  // namespace detail

/// Fetches a file from the first of `urls` (mirrors of the same file) that gives it, and puts it at `path`.
///
/// While it loads, it is `path.part`; an interrupted download goes on from there, on the same mirror, the next, or in
/// the next program. It gets its name when `options.check` has accepted the whole of it, never before. Does nothing
/// when `path` exists. Mirrors are https:// (certificates are verified); http:// only where a caller passes such a URL.
///
/// Throws FileError that lists every attempt with its reason.
inline void download(std::span<const std::string> urls, const std::filesystem::path& path,
                     const DownloadOptions& options = {}) {
  std::error_code failed;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), failed);
  if (failed) throw FileError("[download] ", path.parent_path().string(), " cannot be made: ", failed.message());
  detail::PartFile part(path.string() + ".part");
  if (std::filesystem::exists(path)) return;

  std::string attempts;
  for (const auto& url : urls) {
    if (!url.starts_with("https://") && !url.starts_with("http://")) {
      attempts += concat("\n  ", url, ": not an https:// address");
      continue;
    }
    for (int attempt = 0; attempt < 3; ++attempt) {
      detail::Transfer transfer(url, part, options);
      std::string problem = transfer.run();
      const bool complete = problem.empty();
      bool again = transfer.received() > 0;  // an interrupted transfer that made progress
      if (complete) {
        try {
          if (options.check) options.check(part.contents());
          part.rename_to(path);
          return;
        } catch (const FileError& error) {
          problem = error.what();
          part.clear();
          again = transfer.resumed();  // the first half may be of another file: once more from the start
        }
      }
      attempts += concat("\n  ", url, ": ", problem);
      if (!again) break;
    }
  }
  throw FileError("[download] ", path.string(), " could not be downloaded; tried", attempts.empty() ? " nothing" : "",
                  attempts);
}

}  // namespace dnn::inline DNN_ABI::datasets
