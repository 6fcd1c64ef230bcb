/// Errors of the plugin. Every failure is a `cloud::Error` that says what was tried and what came back.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace cloud {

/// What is known about a failure. Never put a secret into any of these: they end up in logs.
struct ErrorDetails {
  std::string tried{};       // what was attempted, e.g. "get compute gpu-cluster"
  int status = 0;            // HTTP status, or 0 when there was no reply (or no HTTP)
  std::string code{};        // the service's own code, e.g. "ResourceNotFound"
  std::string message{};     // the service's or our own words
  std::string request_id{};  // as the service reported it
  int attempts = 0;          // how often it was tried; 0 and 1 are not mentioned
};

/// The root of everything this plugin throws. `what()` reads like
/// `[get compute gpu-cluster] HTTP 403 AuthorizationFailed: no permission (request id 1f2e, 3 attempts)`.
class Error : public std::runtime_error {
 public:
  explicit Error(ErrorDetails details) : std::runtime_error(describe(details)), details_(std::move(details)) {}
  Error(std::string tried, std::string message)
      : Error(ErrorDetails{.tried = std::move(tried), .message = std::move(message)}) {}

  const ErrorDetails& details() const { return details_; }
  int status() const { return details_.status; }
  const std::string& code() const { return details_.code; }

 private:
  static std::string describe(const ErrorDetails& d) {
    std::string text = "[" + d.tried + "]";
    if (d.status != 0) text += " HTTP " + std::to_string(d.status);
    if (!d.code.empty()) text += " " + d.code;
    if (d.status != 0 || !d.code.empty()) text += ":";
    text += " " + (d.message.empty() ? std::string("no further message") : d.message);
    std::string more;
    if (!d.request_id.empty()) more = "request id " + d.request_id;
    if (d.attempts > 1) more += (more.empty() ? "" : ", ") + std::to_string(d.attempts) + " attempts";
    return more.empty() ? text : text + " (" + more + ")";
  }

  ErrorDetails details_;
};

/// A wrong argument, option, environment variable or config.json.
struct ConfigError : Error {
  using Error::Error;
};
/// No credential, or one that was refused.
struct AuthenticationError : Error {
  using Error::Error;
};
/// The thing asked for does not exist.
struct NotFoundError : Error {
  using Error::Error;
};
/// It exists already, or contradicts what is stored.
struct ConflictError : Error {
  using Error::Error;
};
/// No connection, no reply, or a reply that is cut short or makes no sense.
struct NetworkError : Error {
  using Error::Error;
};
/// It did not happen within the time given.
struct TimeoutError : Error {
  using Error::Error;
};
/// The caller gave up (core/cancel.hpp), or a run was canceled.
struct CanceledError : Error {
  using Error::Error;
};
/// A run that ended as failed.
struct RunFailedError : Error {
  using Error::Error;
};
/// A file or folder that cannot be read, written or trusted.
struct FileError : Error {
  using Error::Error;
};
/// The backend in use has no such thing.
struct UnsupportedError : Error {
  using Error::Error;
};

}  // namespace cloud
