/// The one place that talks HTTP. libcurl behind values: connection reuse, timeouts, TLS verification, redirects that
/// keep credentials at home, and repeats of what is safe to repeat. The only header that includes curl.
#pragma once

#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/core/backoff.hpp"
#include "cloud/core/cancel.hpp"
#include "cloud/core/env.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/message.hpp"

namespace cloud::http {

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  /// A request ends when not one byte moved for so long, in either direction.
  std::chrono::milliseconds stall_timeout{60'000};
  /// PEM file of the authorities to trust instead of the system's. Empty: the environment's CLOUD_CA_FILE, then
  /// SSL_CERT_FILE, then CURL_CA_BUNDLE, then the system's.
  std::string ca_file{};
  std::string user_agent = "dnn-cloud/1.0";
  Backoff backoff{.max_attempts = 6};
  /// A service that asks for a longer wait than this gets its reply handed up instead.
  std::chrono::milliseconds longest_wait{std::chrono::minutes(10)};
  std::size_t max_body = std::size_t{64} << 20;  // of a reply without a sink
  int max_redirects = 5;
};

/// Thread-safe; copies share the connections. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY, …).
///
/// Repeated, with exponential waits or as long as `Retry-After`, `retry-after-ms` or `x-ms-retry-after-ms` say: the
/// statuses 408, 429, 500, 502, 503, 504, and connections that fail or break. Not repeated: certificates that are not
/// trusted, requests that are not Request::repeatable, and replies of which a sink has seen bytes.
class Client {
 public:
  explicit Client(ClientOptions options = {}) : shared_(std::make_shared<Shared>(std::move(options))) {}

  const ClientOptions& options() const { return shared_->options; }

  /// The reply, whatever its status. Throws NetworkError when there is none, ConfigError for a URL or CA file that
  /// cannot be used, FileError when the file of the request cannot be read, CanceledError when `cancel` was raised.
  Response send(const Request& request, const CancelToken& cancel = {}) const {
    const ClientOptions& o = shared_->options;
    const int max_attempts = std::max(1, request.max_attempts.value_or(o.backoff.max_attempts));
    for (int attempt = 1;; ++attempt) {
      cancel.check(request.tried);
      const std::string key = request.method + " " + shown_url(request.url);
      if (const auto wait = shared_->gate(key); wait.count() > 0 && !cancel.sleep_for(wait))
        cancel.check(request.tried);
      Outcome outcome = follow(request, cancel);
      outcome.response.tried = request.tried;
      outcome.response.attempts = attempt;
      std::optional<std::chrono::milliseconds> asked;
      if (outcome.failure.empty()) {
        const int status = outcome.response.status;
        if (!is_transient(status)) return std::move(outcome.response);
        asked = retry_after(outcome.response);
        const bool too_long = asked && *asked > o.longest_wait;
        if (attempt >= max_attempts || too_long || !(is_repeatable(request) || status == 429)) {
          return std::move(outcome.response);
        }
      } else if (attempt >= max_attempts || !outcome.may_repeat) {
        throw NetworkError(
            ErrorDetails{.tried = request.tried, .message = outcome.failure, .request_id{}, .attempts = attempt});
      }
      if (asked) shared_->close_gate(key, *asked);
      if (!cancel.sleep_for(asked.value_or(o.backoff.delay(attempt)))) cancel.check(request.tried);
    }
  }

  /// What a reply asks for; nothing when it does not. A date is meant by the service's own clock, where that is told.
  static std::optional<std::chrono::milliseconds> retry_after(const Response& response) {
    for (const char* name : {"retry-after-ms", "x-ms-retry-after-ms"}) {
      const auto wait = parse_number<double>(trim(response.headers.get(name)));
      if (wait && *wait >= 0 && *wait < 1e10) return std::chrono::milliseconds(static_cast<std::int64_t>(*wait));
    }
    const std::string asked = response.headers.get("Retry-After");
    const std::optional<Milliseconds> its_now = parse_http_date(response.headers.get("Date"));
    return asked.empty() ? std::nullopt : parse_retry_after(asked, its_now.value_or(now_ms()));
  }

  static bool is_transient(int status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Handle = std::unique_ptr<CURL, void (*)(CURL*)>;

  // What is common to all copies: options, idle handles (each keeps its connections), and when a service that asked
  // for patience may be asked again - by any thread.
  struct Shared {
    explicit Shared(ClientOptions o) : options(std::move(o)) {
      static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
      if (started != CURLE_OK) throw Error("start libcurl", curl_easy_strerror(started));
      for (const char* name : {"CLOUD_CA_FILE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
        if (options.ca_file.empty()) options.ca_file = env_or(name, "");
      }
    }
    Handle take() {
      {
        const std::scoped_lock lock(mutex);
        if (!idle.empty()) {
          Handle handle = std::move(idle.back());
          idle.pop_back();
          return handle;
        }
      }
      Handle handle(curl_easy_init(), curl_easy_cleanup);
      if (!handle) throw Error("start libcurl", "no handle");
      return handle;
    }
    void give_back(Handle handle) {
      curl_easy_reset(handle.get());
      const std::scoped_lock lock(mutex);
      if (idle.size() < 16) idle.push_back(std::move(handle));
    }
    std::chrono::milliseconds gate(const std::string& key) {
      const std::scoped_lock lock(mutex);
      const auto found = gates.find(key);
      if (found == gates.end()) return std::chrono::milliseconds(0);
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(found->second - Clock::now());
      if (left.count() <= 0) gates.erase(found);
      return left;
    }
    void close_gate(const std::string& key, std::chrono::milliseconds time) {
      const std::scoped_lock lock(mutex);
      gates[key] = std::max(gates[key], Clock::now() + time);
    }

    ClientOptions options;
    std::mutex mutex;
    std::vector<Handle> idle;
    std::map<std::string, Clock::time_point> gates;
  };

  struct Outcome {
    Response response{};
    std::string failure{};  // empty: there is a whole reply
    bool may_repeat = false;
  };

  // One transfer, as libcurl's callbacks see it.
  struct Transfer {
    const Request& request;
    const CancelToken& cancel;
    std::size_t max_body;
    CURL* handle = nullptr;
    Response response{};
    int file = -1;
    std::uint64_t sent = 0;
    bool sunk = false;  // the sink has seen bytes
    bool too_large = false;
    std::exception_ptr thrown{};

    std::uint64_t size() const { return request.file ? request.file->length : request.body.size(); }
  };

  static bool is_repeatable(const Request& request) {
    return request.repeatable.value_or(request.method != "POST" && request.method != "PATCH");
  }

  // Sends, and goes where redirects lead as far as that is safe.
  Outcome follow(const Request& original, const CancelToken& cancel) const {
    Request request = original;
    for (int hop = 0;; ++hop) {
      Outcome outcome = transfer(request, cancel);
      const int status = outcome.response.status;
      const bool redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
      if (!outcome.failure.empty() || !redirect) return outcome;
      const std::string location = outcome.response.headers.get("Location");
      if (location.empty() || hop == shared_->options.max_redirects) return outcome;
      std::string target;
      try {
        target = resolve(request.url, location);
        const Url from = Url::parse(request.url);
        const Url to = Url::parse(target);
        const bool reads = request.method == "GET" || request.method == "HEAD";
        const bool home = same_origin(from, to);
        const bool downgrade = from.scheme == "https" && to.scheme != "https";
        if (to.scheme != "https" && to.scheme != "http") return outcome;
        if (!home && (!reads || !request.redirect_anywhere || downgrade)) return outcome;
        if (!reads && status != 307 && status != 308) return outcome;  // never turn a PUT or POST into a GET
        if (!home) request.secret_headers.clear();
      } catch (const ConfigError&) {
        return outcome;
      }
      request.url = target;
    }
  }

  static std::string resolve(const std::string& base, const std::string& location) {
    if (location.find("://") != std::string::npos) return location;
    const Url from = Url::parse(base);
    if (location.substr(0, 2) == "//") return from.scheme + ":" + location;
    if (location[0] == '/') return from.origin() + location;
    return from.origin() + from.path.substr(0, from.path.rfind('/') + 1) + location;
  }

  Outcome transfer(const Request& request, const CancelToken& cancel) const {
    const Url url = Url::parse(request.url);
    if (url.scheme != "https" && url.scheme != "http") {
      throw ConfigError(request.tried, "the URL's scheme is '" + url.scheme + "', not https or http");
    }
    const ClientOptions& o = shared_->options;
    Transfer transfer{.request = request, .cancel = cancel, .max_body = o.max_body};
    const FileDescriptor file(request.file);
    transfer.file = file.get(request.tried);

    Handle handle = shared_->take();
    CURL* curl = transfer.handle = handle.get();
    const auto set = [&](CURLoption option, auto value) {
      if (const CURLcode code = curl_easy_setopt(curl, option, value); code != CURLE_OK) {
        throw ConfigError(request.tried,
                          "libcurl refuses option " + std::to_string(option) + ": " + curl_easy_strerror(code));
      }
    };
    char text[CURL_ERROR_SIZE] = "";
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(text));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_USERAGENT, o.user_agent.c_str());
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!o.ca_file.empty()) set(CURLOPT_CAINFO, o.ca_file.c_str());
    if (!request.use_proxy) set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.value_or(o.connect_timeout).count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(o.stall_timeout.count() / 1000)));
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &transfer);
    // What goes to a sink is wanted as it is stored; of other replies a gateway may send less.
    if (!request.sink && request.method != "HEAD") set(CURLOPT_ACCEPT_ENCODING, "gzip");
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, &transfer);

    if (request.method == "GET") {
      set(CURLOPT_HTTPGET, 1L);
    } else if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method == "DELETE") {
      set(CURLOPT_CUSTOMREQUEST, "DELETE");
    } else {
      // The body goes through on_read even when it lies in memory: on_seek then decides whether libcurl may send it
      // again by itself, as it does when a connection that was kept turns out to be dead.
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.size()));
      set(CURLOPT_READFUNCTION, &on_read);
      set(CURLOPT_READDATA, &transfer);
      set(CURLOPT_SEEKFUNCTION, &on_seek);
      set(CURLOPT_SEEKDATA, &transfer);
      if (!is_repeatable(request) && transfer.size() == 0) set(CURLOPT_FRESH_CONNECT, 1L);
    }
    const HeaderList headers(request);
    set(CURLOPT_HTTPHEADER, headers.get());

    const CURLcode code = [&] {
      const NoBrokenPipe guard;
      return curl_easy_perform(curl);
    }();
    long status = 0;
    long request_size = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &request_size);
    if (transfer.thrown) std::rethrow_exception(transfer.thrown);  // the handle goes away with its half transfer
    Outcome outcome{.response = std::move(transfer.response)};
    outcome.response.status = static_cast<int>(status);
    outcome.response.url = request.url;
    if (code == CURLE_OK) {
      shared_->give_back(std::move(handle));
      return outcome;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) cancel.check(request.tried);
    if (code == CURLE_URL_MALFORMAT) throw ConfigError(request.tried, "libcurl cannot read the URL");
    if (code == CURLE_SSL_CACERT_BADFILE) {
      throw ConfigError(request.tried, "the CA file " + o.ca_file + " cannot be used");
    }
    if (transfer.too_large) {
      outcome.failure = url.shown() + ": the reply is larger than " + size_text(o.max_body);
      return outcome;
    }
    const std::string why = text[0] != '\0' ? text : curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
      outcome.failure = url.origin() + ": the server's certificate is not trusted: " + why +
                        " (a CA file can be given in CLOUD_CA_FILE)";
      return outcome;
    }
    outcome.failure = url.shown() + ": " + why;
    outcome.may_repeat = !transfer.sunk && (is_repeatable(request) || request_size == 0);
    return outcome;
  }

  // A connection that breaks while something is written to it must not end the program: TLS libraries raise SIGPIPE.
  class NoBrokenPipe {
   public:
    NoBrokenPipe() {
      sigemptyset(&pipe_);
      sigaddset(&pipe_, SIGPIPE);
      sigset_t pending;
      sigpending(&pending);
      was_pending_ = sigismember(&pending, SIGPIPE) == 1;
      pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    NoBrokenPipe(const NoBrokenPipe&) = delete;
    NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;
    ~NoBrokenPipe() {
      const timespec at_once{};
      if (!was_pending_) {
        while (sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
        }
      }
      pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

   private:
    sigset_t pipe_{};
    sigset_t before_{};
    bool was_pending_ = false;
  };

  class FileDescriptor {
   public:
    explicit FileDescriptor(const std::optional<FileRange>& range) : path_(range ? range->path.string() : "") {
      if (range) fd_ = ::open(range->path.c_str(), O_RDONLY | O_CLOEXEC);
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() {
      if (fd_ >= 0) ::close(fd_);
    }
    int get(const std::string& tried) const {
      if (!path_.empty() && fd_ < 0) throw FileError(tried, path_ + ": " + std::strerror(errno));
      return fd_;
    }

   private:
    std::string path_;
    int fd_ = -1;
  };

  class HeaderList {
   public:
    explicit HeaderList(const Request& request) {
      for (const auto& [name, value] : request.headers) add(request.tried, name, value);
      for (const auto& [name, value] : request.secret_headers) add(request.tried, name, value.reveal());
      append("Expect:");  // a round trip more, and some servers never answer it
    }
    HeaderList(const HeaderList&) = delete;
    HeaderList& operator=(const HeaderList&) = delete;
    ~HeaderList() { curl_slist_free_all(list_); }
    curl_slist* get() const { return list_; }

   private:
    void add(const std::string& tried, const std::string& name, const std::string& value) {
      if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        throw ConfigError(tried, "the header " + std::string(trim(name)) + " holds a line break");
      }
      append(value.empty() ? name + ";" : name + ": " + value);
    }
    void append(const std::string& line) {
      curl_slist* longer = curl_slist_append(list_, line.c_str());
      if (longer == nullptr) throw Error("start libcurl", "no memory");
      list_ = longer;
    }
    curl_slist* list_ = nullptr;
  };

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
    Transfer& transfer = *static_cast<Transfer*>(user);
    const std::string_view line(data, size);
    if (line.substr(0, 5) == "HTTP/") {  // also after 100 Continue and a proxy's reply
      transfer.response.headers.clear();
    } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      transfer.response.headers.add(std::string(trim(line.substr(0, colon))),
                                    std::string(trim(line.substr(colon + 1))));
    }
    return size;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
    Transfer& transfer = *static_cast<Transfer*>(user);
    try {
      long status = 0;
      curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
      if (transfer.request.sink && status >= 200 && status < 300) {
        transfer.response.status = static_cast<int>(status);
        transfer.sunk = true;
        transfer.request.sink(transfer.response, std::string_view(data, size));
        return size;
      }
      if (transfer.response.body.size() + size > transfer.max_body) {
        transfer.too_large = true;
        return 0;
      }
      transfer.response.body.append(data, size);
      return size;
    } catch (...) {
      transfer.thrown = std::current_exception();
      return 0;
    }
  }

  static std::size_t on_read(char* buffer, std::size_t unit, std::size_t count, void* user) {
    Transfer& transfer = *static_cast<Transfer*>(user);
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(unit * count, transfer.size() - transfer.sent));
    if (want == 0) return 0;
    if (!transfer.request.file) {
      std::memcpy(buffer, transfer.request.body.data() + transfer.sent, want);
      transfer.sent += want;
      return want;
    }
    const FileRange& range = *transfer.request.file;
    ssize_t got = 0;
    do {
      got = ::pread(transfer.file, buffer, want, static_cast<off_t>(range.offset + transfer.sent));
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
      transfer.thrown = std::make_exception_ptr(FileError(
          transfer.request.tried, range.path.string() + (got < 0 ? std::string(": ") + std::strerror(errno)
                                                                 : std::string(" became shorter while it was sent"))));
      return CURL_READFUNC_ABORT;
    }
    transfer.sent += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

  static int on_seek(void* user, curl_off_t offset, int origin) {
    Transfer& transfer = *static_cast<Transfer*>(user);
    if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
    if (transfer.sent > 0 && !is_repeatable(transfer.request)) return CURL_SEEKFUNC_FAIL;
    transfer.sent = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(user)->cancel.canceled() ? 1 : 0;
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace cloud::http
