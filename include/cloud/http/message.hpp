/// Requests and replies, as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/core/secret.hpp"
#include "cloud/core/text.hpp"

namespace cloud::http {

/// Header fields in order; names are compared without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  /// The first value of that name, or empty.
  std::string get(std::string_view name) const {
    for (const auto& [key, value] : fields_) {
      if (equal_ignoring_case(key, name)) return value;
    }
    return {};
  }
  bool has(std::string_view name) const {
    for (const auto& field : fields_) {
      if (equal_ignoring_case(field.first, name)) return true;
    }
    return false;
  }
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(const std::string& name, std::string value) {
    for (auto& [key, old] : fields_) {
      if (equal_ignoring_case(key, name)) {
        old = std::move(value);
        return;
      }
    }
    add(name, std::move(value));
  }
  void clear() { fields_.clear(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// A reply. Every status is a value; only a request that got no whole reply throws (NetworkError).
struct Response {
  int status = 0;
  Headers headers{};
  std::string body{};
  std::string url{};  // where the reply came from, after redirects; may hold a signature: show only shown_url(url)
  std::string tried{};
  int attempts = 1;

  bool ok() const { return status >= 200 && status < 300; }
};

/// A part of a file that is sent as a body, read while it is sent.
struct FileRange {
  std::filesystem::path path{};
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Takes the body of a 2xx reply piece by piece; what it throws ends the request and goes on to the caller.
using Sink = std::function<void(const Response& head, std::string_view bytes)>;

struct Request {
  std::string tried{};  // what this is for, in errors: "get compute gpu-cluster"
  std::string method = "GET";
  std::string url{};
  Headers headers{};
  /// Fields such as Authorization. They are dropped by a redirect to another origin, and never shown.
  std::map<std::string, Secret> secret_headers{};
  std::string body{};
  std::optional<FileRange> file{};  // instead of body
  Sink sink{};                      // instead of Response::body, for 2xx replies
  /// May be repeated although the server may have carried it out already. Absent: yes for GET, HEAD, PUT, DELETE and
  /// OPTIONS. Even what may not be repeated is tried again when nothing of it was sent, or after 429.
  std::optional<bool> repeatable{};
  /// Whether a GET or HEAD may be sent on to another origin (without secret_headers). A body never is.
  bool redirect_anywhere = false;
  bool use_proxy = true;
  std::optional<int> max_attempts{};                           // absent: as the client
  std::optional<std::chrono::milliseconds> connect_timeout{};  // absent: as the client
};

/// The pair for Request::secret_headers.
inline std::pair<const std::string, Secret> bearer(const Secret& token) {
  return {"Authorization", Secret("Bearer " + token.reveal())};
}

}  // namespace cloud::http
