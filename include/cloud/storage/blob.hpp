/// Blob storage through SAS URLs: uploads in blocks, downloads that go on where they broke off, checksums on both ways.
/// Files are streamed: memory does not grow with their size.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/core/base64.hpp"
#include "cloud/core/cancel.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/parallel.hpp"
#include "cloud/core/sha256.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/rest/error.hpp"
#include "cloud/rest/service.hpp"

namespace cloud::storage {

/// A SAS URL of a blob or of a container. It expires: `fetch` gets one, at first and each time the service refuses the
/// one at hand. Thread-safe.
class SasUrl {
 public:
  explicit SasUrl(std::function<std::string()> fetch) : fetch_(std::move(fetch)) {}

  /// `rejected`: the URL that was refused, or empty.
  std::string get(const std::string& rejected = {}) {
    const std::scoped_lock lock(mutex_);
    if (url_.empty() || url_ == rejected) {
      url_ = fetch_();
      if (!rest::is_private(Url::parse(url_))) {
        throw ConfigError("use a storage address", "a signature is sent only over https, not to " + shown_url(url_));
      }
    }
    return url_;
  }

 private:
  std::function<std::string()> fetch_;
  std::mutex mutex_;
  std::string url_;
};

struct BlobProperties {
  std::string name{};
  std::uint64_t size = 0;
  std::string md5{};  // base64, as stored; empty when the service does not know it
  std::string etag{};
};

/// Bytes that were moved just now.
using Moved = std::function<void(std::uint64_t bytes)>;

class BlobClient {
 public:
  struct Options {
    std::uint64_t block_size = std::uint64_t{4} << 20;     // grows for files of more than 50,000 blocks
    std::uint64_t single_upload = std::uint64_t{8} << 20;  // up to this size in one request
    std::size_t parallel = 4;
    int patience = 6;               // how often in a row a download may break off without having got further
    std::optional<int> attempts{};  // for reads; absent: as the client
  };

  BlobClient(http::Client client, CancelToken cancel) : BlobClient(std::move(client), std::move(cancel), Options()) {}
  /// `tokens`: for URLs without a signature; never sent together with one.
  BlobClient(http::Client client, CancelToken cancel, Options options, rest::TokenSource tokens = nullptr)
      : client_(std::move(client)), cancel_(std::move(cancel)), options_(options), tokens_(std::move(tokens)) {}

  const Options& options() const { return options_; }

  /// Writes the file to `blob` below `sas` (or, with an empty name, to the blob that `sas` is of). Blocks that an
  /// earlier, broken off upload has left are used. `moved` may be called from several threads.
  void upload(SasUrl& sas, const std::string& blob, const fs::path& from, const Moved& moved = {}) const {
    const std::string tried = "upload " + from.string();
    std::error_code failed;
    const std::uint64_t size = fs::file_size(from, failed);
    if (failed) throw FileError(tried, failed.message());
    const std::uint64_t block = std::max(options_.block_size, size / 50'000 + 1);
    if (size <= options_.single_upload) {
      const std::string md5 = base64(md5_of(from, 0, size, nullptr));
      put(tried, sas, blob, "", {}, http::FileRange{from, 0, size}, md5, Own{size, md5});
      if (moved) moved(size);
      return;
    }
    // An id names the place and the content, so a block that is there already under its id need not be sent again.
    Digest whole = Digest::md5();
    std::vector<std::string> ids;
    std::vector<std::string> sums;
    for (std::uint64_t offset = 0; offset < size; offset += block) {
      const std::string sum = md5_of(from, offset, std::min(block, size - offset), &whole);
      char place[8];
      std::snprintf(place, sizeof place, "%06u", static_cast<unsigned>(ids.size()));
      ids.push_back(base64(place + sum));
      sums.push_back(base64(sum));
      cancel_.check(tried);
    }
    const std::map<std::string, std::uint64_t> present = uncommitted_blocks(tried, sas, blob);
    parallel_each(ids.size(), options_.parallel, [&](std::size_t i) {
      const std::uint64_t offset = i * block;
      const std::uint64_t length = std::min(block, size - offset);
      const auto found = present.find(ids[i]);
      if (found == present.end() || found->second != length) {
        put(tried, sas, blob, "comp=block&blockid=" + percent_encode(ids[i]), {}, http::FileRange{from, offset, length},
            sums[i], std::nullopt);
      }
      if (moved) moved(length);
    });
    std::string list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    for (const std::string& id : ids) list += "<Latest>" + id + "</Latest>";
    list += "</BlockList>";
    const std::string md5 = base64(whole.raw());
    put(tried, sas, blob, "comp=blocklist", list, {}, md5, Own{size, md5});
  }

  /// Writes the blob to `to`: into a file beside it, renamed once it has the size and the MD5 that the service knows. A
  /// download that broke off - also in an earlier process - goes on where it ended, if the blob is still the same.
  void download(SasUrl& sas, const std::string& blob, const fs::path& to, const Moved& moved = {},
                const std::function<void(std::uint64_t size)>& sized = {}) const {
    const std::string tried = "download " + to.string();
    if (to.has_parent_path()) fs::create_directories(to.parent_path());
    for (int round = 0;; ++round) {
      const std::optional<BlobProperties> known = properties(tried, sas, blob);
      if (known && sized) sized(known->size);
      PartialFile part(tried, to, known ? known->etag : "");
      if (!fetch(tried, sas, blob, known, part, moved)) {
        part.discard();
        if (round < 2) continue;
        throw ConflictError(tried, "the blob is changed again and again while it is downloaded");
      }
      Digest digest = Digest::md5();
      add_file(digest, part.path());
      const std::string md5 = base64(digest.raw());
      const std::string& expected = part.md5.empty() && known ? known->md5 : part.md5;
      if (expected.empty() || expected == md5) {
        part.finish();
        return;
      }
      part.discard();
      if (round == 2) {
        throw NetworkError(tried, "what arrived does not have the checksum that the service tells (MD5 " + expected +
                                      ", here " + md5 + ")");
      }
    }
  }

  /// Bytes from `offset` on, at most `max_bytes`: what is there now. Nothing when the blob is shorter or absent.
  struct Piece {
    std::string bytes{};
    std::optional<std::uint64_t> size{};  // of the whole blob, when the reply tells
  };
  Piece read(const std::string& tried, SasUrl& sas, const std::string& blob, std::uint64_t offset,
             std::size_t max_bytes) const {
    if (max_bytes == 0) return {};
    http::Request request = base(tried, "GET");
    request.max_attempts = options_.attempts;
    request.headers.add("x-ms-range", "bytes=" + std::to_string(offset) + "-" + std::to_string(offset + max_bytes - 1));
    Piece piece;
    std::uint64_t skip = 0;
    request.sink = [&](const http::Response& head, std::string_view bytes) {
      if (piece.bytes.empty() && head.status == 200) skip = std::max(skip, offset);  // ranges are not known there
      const auto dropped = static_cast<std::size_t>(std::min<std::uint64_t>(skip, bytes.size()));
      skip -= dropped;
      bytes.remove_prefix(dropped);
      piece.bytes.append(bytes.substr(0, max_bytes - piece.bytes.size()));
    };
    http::Response response;
    try {
      response = send(std::move(request), sas, blob);
    } catch (const NetworkError&) {
      if (piece.bytes.empty()) throw;
      return piece;  // the next call goes on from here
    }
    if (response.status == 404) return piece;
    const std::string range = response.headers.get("Content-Range");
    if (const std::size_t slash = range.find('/'); slash != std::string::npos) {
      piece.size = parse_number<std::uint64_t>(range.substr(slash + 1));
    }
    if (response.status != 416) rest::check(response);
    return piece;
  }

  /// All blobs of a container whose name starts with `prefix`; markers of folders are left out.
  std::vector<BlobProperties> list(const std::string& tried, SasUrl& container, const std::string& prefix) const {
    std::vector<BlobProperties> blobs;
    std::string marker;
    for (int pages = 0; pages < 10'000; ++pages) {
      http::Request request = base(tried, "GET");
      const http::Response response =
          send(std::move(request), container, "",
               "restype=container&comp=list&include=metadata&prefix=" + percent_encode(prefix) +
                   (marker.empty() ? "" : "&marker=" + percent_encode(marker)));
      const std::string& xml = rest::check(response).body;
      for (std::size_t at = xml.find("<Blob>"); at != std::string::npos; at = xml.find("<Blob>", at)) {
        const std::size_t end = std::min(xml.find("</Blob>", at), xml.size());
        const std::string item = xml.substr(at, end - at);
        at = end;
        BlobProperties blob{.name = rest::xml_text(item, "Name"),
                            .size = parse_number<std::uint64_t>(rest::xml_text(item, "Content-Length")).value_or(0),
                            .md5 = rest::xml_text(item, "Content-MD5"),
                            .etag = rest::xml_text(item, "Etag")};
        constexpr std::string_view kEncoded = "<Name Encoded=\"true\">";
        if (const std::size_t name = item.find(kEncoded); name != std::string::npos) {
          const std::size_t start = name + kEncoded.size();
          blob.name = percent_decode(item.substr(start, item.find('<', start) - start));
        }
        if (!blob.name.empty() && rest::xml_text(item, "hdi_isfolder") != "true") blobs.push_back(std::move(blob));
      }
      const std::string next = rest::xml_text(xml, "NextMarker");
      if (next.empty() || next == marker) return blobs;
      marker = next;
    }
    throw NetworkError(tried, "the list of blobs does not end");
  }

 private:
  static constexpr const char* kVersion = "2023-11-03";

  // What the blob is when our own write has succeeded.
  struct Own {
    std::uint64_t size;
    std::string md5;
  };

  static http::Request base(const std::string& tried, const std::string& method) {
    return {.tried = tried, .method = method, .headers = {{"x-ms-version", kVersion}}, .redirect_anywhere = true};
  }

  // Sends to the SAS URL; a refused signature (or token) is replaced. One made in the same second as the refused one
  // can be the same, so later replacements take their time.
  http::Response send(http::Request request, SasUrl& sas, const std::string& blob,
                      const std::string& query = {}) const {
    std::string container = sas.get();
    const bool with_token = tokens_ && container.find("sig=") == std::string::npos;
    Secret token = with_token ? tokens_(Secret()) : Secret();
    for (int renewals = 0;; ++renewals) {
      if (with_token) {
        request.secret_headers.clear();
        request.secret_headers.insert(http::bearer(token));
      }
      request.url = blob.empty() ? container : add_path(container, blob);
      if (!query.empty()) request.url += (request.url.find('?') == std::string::npos ? "?" : "&") + query;
      http::Response response = client_.send(request, cancel_);
      if (with_token && response.status == 401 && renewals < 2) {
        token = tokens_(token);
        continue;
      }
      const std::string code = response.headers.get("x-ms-error-code");
      const bool expired = response.status == 403 && (code.empty() || code == "AuthenticationFailed");
      if (!expired || renewals == 4) return response;
      if (renewals > 0 && !cancel_.sleep_for(std::chrono::milliseconds(600))) cancel_.check(request.tried);
      container = sas.get(container);
    }
  }

  // One write. `own`: what the blob is when this write has got through. Then a write whose reply was lost is not simply
  // repeated - a signature may allow to create a blob, but not to write it again - but looked after first.
  void put(const std::string& tried, SasUrl& sas, const std::string& blob, const std::string& query,
           const std::string& body, const std::optional<http::FileRange>& file, const std::string& md5,
           const std::optional<Own>& own) const {
    http::Request request = base(tried, "PUT");
    request.redirect_anywhere = false;
    if (query.empty()) {
      request.headers.add("x-ms-blob-type", "BlockBlob");
      request.headers.add("Content-Type", "application/octet-stream");
    }
    if (query == "comp=blocklist") {
      request.headers.add("x-ms-blob-content-md5", md5);
      request.headers.add("Content-Type", "application/xml");
      request.body = body;
    } else {
      request.headers.add("Content-MD5", md5);
      if (file->length > 0) request.file = file;
    }
    if (own) {
      request.max_attempts = 1;
      request.repeatable = false;
    }
    const Backoff& backoff = client_.options().backoff;
    for (int tries = 1;; ++tries) {
      std::chrono::milliseconds wait = backoff.delay(tries);
      std::optional<http::Response> response;
      try {
        response = send(request, sas, blob, query);
      } catch (const NetworkError& error) {
        if (!own || tries >= backoff.max_attempts) {
          ErrorDetails details = error.details();
          details.attempts = std::max(details.attempts, tries);
          throw NetworkError(std::move(details));
        }
      }
      if (response) {
        if (response->ok()) return;
        const bool refused = response->status == 403 || response->status == 409 || response->status == 412;
        if (own && refused && is_there(tried, sas, blob, *own)) return;
        const bool damaged = response->headers.get("x-ms-error-code") == "Md5Mismatch";  // on its way
        const bool again = damaged || (own && http::Client::is_transient(response->status));
        response->attempts = std::max(response->attempts, tries);
        if (!again || tries >= backoff.max_attempts) rest::fail(*response);
        wait = http::Client::retry_after(*response).value_or(wait);
      }
      if (!cancel_.sleep_for(wait)) cancel_.check(tried);
      if (own && is_there(tried, sas, blob, *own)) return;
    }
  }

  bool is_there(const std::string& tried, SasUrl& sas, const std::string& blob, const Own& own) const {
    try {
      const std::optional<BlobProperties> there = properties(tried, sas, blob);
      return there && there->size == own.size && there->md5 == own.md5;
    } catch (const Error&) {
      return false;  // absent, or nobody can tell
    }
  }

  std::optional<BlobProperties> properties(const std::string& tried, SasUrl& sas, const std::string& blob) const {
    const http::Response response = send(base(tried, "HEAD"), sas, blob);
    if (response.status == 404) rest::fail(response);
    const auto size = parse_number<std::uint64_t>(response.headers.get("Content-Length"));
    if (!response.ok() || !size) return std::nullopt;  // the signature allows GET only, or a server that has no HEAD
    return BlobProperties{
        .size = *size, .md5 = response.headers.get("Content-MD5"), .etag = response.headers.get("ETag")};
  }

  std::map<std::string, std::uint64_t> uncommitted_blocks(const std::string& tried, SasUrl& sas,
                                                          const std::string& blob) const {
    std::map<std::string, std::uint64_t> blocks;
    const http::Response response = send(base(tried, "GET"), sas, blob, "comp=blocklist&blocklisttype=uncommitted");
    if (!response.ok()) return blocks;  // none, or the signature does not allow to look
    const std::string& xml = response.body;
    for (std::size_t at = xml.find("<Block>"); at != std::string::npos; at = xml.find("<Block>", at + 1)) {
      blocks[rest::xml_text(xml, "Name", at)] =
          parse_number<std::uint64_t>(rest::xml_text(xml, "Size", at)).value_or(0);
    }
    return blocks;
  }

  // The MD5 of a part of a file, raw; its bytes are added to `whole` too.
  static std::string md5_of(const fs::path& path, std::uint64_t offset, std::uint64_t length, Digest* whole) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw FileError("read " + path.string(), std::strerror(errno));
    const std::unique_ptr<const int, void (*)(const int*)> close(&fd, [](const int* open) { ::close(*open); });
    Digest digest = Digest::md5();
    std::vector<char> buffer(1 << 16);
    while (length > 0) {
      const ssize_t got =
          ::pread(fd, buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(length, buffer.size())),
                  static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw FileError("read " + path.string(), "it became shorter, or cannot be read");
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
      digest.add(bytes);
      if (whole != nullptr) whole->add(bytes);
      offset += bytes.size();
      length -= bytes.size();
    }
    return digest.raw();
  }

  // The file beside the target. With an ETag its name tells which blob it is a part of, so that a later call may go on;
  // a second writer of the same target gets a file of its own.
  class PartialFile {
   public:
    PartialFile(std::string tried, fs::path target, const std::string& etag)
        : tried_(std::move(tried)), target_(std::move(target)) {
      if (!etag.empty()) {
        path_ = target_;
        path_ += "." + sha256(etag).substr(0, 12) + ".part";
        open(O_RDWR | O_CREAT);
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) ::close(std::exchange(fd_, -1));
      }
      resumable_ = fd_ >= 0;
      if (!resumable_) {
        path_ = temporary_beside(target_);
        open(O_RDWR | O_CREAT | O_EXCL);
      }
      const off_t end = ::lseek(fd_, 0, SEEK_END);
      size_ = end > 0 ? static_cast<std::uint64_t>(end) : 0;
    }
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    ~PartialFile() {
      if (fd_ < 0) return;
      if (!resumable_ || size_ == 0) ::unlink(path_.c_str());
      ::close(fd_);
    }

    std::string md5{};  // told by the reply that brought the whole

    const fs::path& path() const { return path_; }
    std::uint64_t size() const { return size_; }
    void restart() {
      if (::ftruncate(fd_, 0) != 0) fail();
      size_ = 0;
    }
    void append(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail();
        size_ += static_cast<std::uint64_t>(count);
        bytes.remove_prefix(static_cast<std::size_t>(count));
      }
    }
    void discard() {
      ::unlink(path_.c_str());
      ::close(std::exchange(fd_, -1));
    }
    void finish() {
      if (::fsync(fd_) != 0 && errno != EINVAL) fail();
      std::error_code failed;
      fs::rename(path_, target_, failed);
      if (failed) throw FileError(tried_, failed.message());
      ::close(std::exchange(fd_, -1));
      sync_folder(target_.parent_path());
    }

   private:
    void open(int flags) {
      fd_ = ::open(path_.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0644);
      if (fd_ < 0) fail();
    }
    [[noreturn]] void fail() const { throw FileError(tried_, path_.string() + ": " + std::strerror(errno)); }

    std::string tried_;
    fs::path target_;
    fs::path path_;
    int fd_ = -1;
    bool resumable_ = false;
    std::uint64_t size_ = 0;
  };

  // Fills `part` up to the blob's size; false when the blob is another one by now.
  bool fetch(const std::string& tried, SasUrl& sas, const std::string& blob, const std::optional<BlobProperties>& known,
             PartialFile& part, const Moved& moved) const {
    if (known && part.size() > known->size) part.restart();
    if (moved && part.size() > 0) moved(part.size());
    std::optional<std::uint64_t> size;
    if (known) size = known->size;
    int failures = 0;
    while (!size || part.size() < *size) {
      const std::uint64_t before = part.size();
      http::Request request = base(tried, "GET");
      if (before > 0) {
        request.headers.add("x-ms-range", "bytes=" + std::to_string(before) + "-");
        if (known && !known->etag.empty()) request.headers.add("If-Match", known->etag);
      }
      bool first = true;
      request.sink = [&](const http::Response& head, std::string_view bytes) {
        if (first && head.status == 200 && part.size() > 0) part.restart();  // ranges are not known there
        first = false;
        if (size) bytes = bytes.substr(0, static_cast<std::size_t>(*size - part.size()));  // a log may have grown
        part.append(bytes);
        if (moved) moved(bytes.size());
      };
      std::string broken;
      try {
        const http::Response response = send(std::move(request), sas, blob);
        if (response.status == 412 && before > 0) return false;
        rest::check(response);
        if (response.status == 200) part.md5 = response.headers.get("Content-MD5");
        if (!size) size = part.size();
        if (part.size() < *size) broken = "the reply ended early";
      } catch (const NetworkError& error) {
        broken = error.what();
        if (part.size() > 0 && !(known && !known->etag.empty())) part.restart();  // nothing tells what may be joined
      }
      if (broken.empty()) continue;
      failures = part.size() > before ? 1 : failures + 1;
      if (failures >= options_.patience) {
        throw NetworkError(tried, "it breaks off again and again; last: " + broken);
      }
      if (!cancel_.sleep_for(client_.options().backoff.delay(failures))) cancel_.check(tried);
    }
    return true;
  }

  http::Client client_;
  CancelToken cancel_;
  Options options_;
  rest::TokenSource tokens_;
};

}  // namespace cloud::storage
