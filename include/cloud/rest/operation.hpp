/// Long-running operations of Azure's resource manager.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "cloud/core/error.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/error.hpp"
#include "cloud/rest/service.hpp"

namespace cloud::rest {

/// What a PUT, PATCH, POST or DELETE has started. `Azure-AsyncOperation` is asked before `Location`, and that before
/// the resource itself; the service says when it may be asked again.
///
///     Operation operation = Operation::started(service.send(put), url);
///     operation.wait(service);      // throws when it fails
class Operation {
 public:
  enum class State { running, succeeded, failed, canceled };

  /// `url` is that of the request. Throws when the reply is an error. Addresses on other hosts are not used.
  static Operation started(const http::Response& response, std::string url,
                           std::chrono::milliseconds interval = std::chrono::seconds(5)) {
    Operation operation;
    operation.tried_ = check(response).tried;
    operation.resource_ = std::move(url);
    operation.interval_ = interval;
    operation.async_ = operation.trusted(response.headers.get("Azure-AsyncOperation"));
    operation.location_ = operation.trusted(response.headers.get("Location"));
    operation.set_delay(response);
    const Json body = json::parse_or_null(response.body);
    const std::string state = json::text(body, {"properties", "provisioningState"});
    if (response.status == 204) {
      operation.state_ = State::succeeded;
    } else if (!operation.async_.empty() || response.status == 202) {
      operation.state_ = State::running;
    } else if (!state.empty()) {
      operation.set_state(state, body);
    } else {
      operation.state_ = response.status == 201 ? State::running : State::succeeded;
    }
    return operation;
  }

  State state() const { return state_; }
  bool done() const { return state_ != State::running; }
  /// Whether the time has come that the service asked to wait for.
  bool is_due() const { return std::chrono::steady_clock::now() >= due_; }
  std::chrono::milliseconds delay() const {
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::ceil<std::chrono::milliseconds>(due_ - std::chrono::steady_clock::now()));
  }
  /// Code and message of a failed operation.
  const std::string& code() const { return code_; }
  const std::string& message() const { return message_; }

  /// Asks once.
  State poll(const Service& service) {
    const std::string url = !async_.empty() ? async_ : !location_.empty() ? location_ : resource_;
    const http::Response response = service.send({.tried = tried_, .url = url});
    check(response);
    set_delay(response);
    const Json body = json::parse_or_null(response.body);
    if (!async_.empty()) {
      set_state(json::text(body, {"status"}), body);
    } else if (!location_.empty()) {
      if (const std::string moved = trusted(response.headers.get("Location")); !moved.empty()) location_ = moved;
      async_ = trusted(response.headers.get("Azure-AsyncOperation"));  // told late: asked from now on
      state_ = response.status == 202 ? State::running : State::succeeded;
    } else {
      set_state(json::text(body, {"properties", "provisioningState"}), body);
    }
    return state_;
  }

  /// Asks until it ends; throws what it failed with.
  void wait(const Service& service) {
    while (!done()) {
      if (!service.cancel().sleep_for(delay())) service.cancel().check(tried_);
      poll(service);
    }
    if (state_ == State::failed) throw Error(ErrorDetails{.tried = tried_, .code = code_, .message = message_});
    if (state_ == State::canceled) throw CanceledError(tried_, "the operation was canceled: " + message_);
  }

 private:
  std::string trusted(const std::string& link) const {
    if (link.empty()) return {};
    const std::string url = absolute(resource_, link);
    return same_origin(Url::parse(url), Url::parse(resource_)) ? url : std::string();
  }

  void set_delay(const http::Response& response) {
    due_ = std::chrono::steady_clock::now() + http::Client::retry_after(response).value_or(interval_);
  }

  void set_state(const std::string& word, const Json& body) {
    if (equal_ignoring_case(word, "Succeeded")) {
      state_ = State::succeeded;
    } else if (equal_ignoring_case(word, "Failed") || equal_ignoring_case(word, "Canceled")) {
      state_ = equal_ignoring_case(word, "Failed") ? State::failed : State::canceled;
      const Json& error = json::at(body, {"error"});
      code_ = presentable(json::text(error, {"code"}), 100);
      message_ = presentable(message_of(error));
      const Json& errors = json::array(body, {"properties", "provisioningErrors"});
      if (message_.empty() && !errors.empty()) {
        code_ = presentable(json::text(errors[0], {"error", "code"}), 100);
        message_ = presentable(message_of(json::at(errors[0], {"error"})));
      }
    } else {
      state_ = State::running;
    }
  }

  std::string tried_;
  std::string resource_;
  std::string async_;
  std::string location_;
  std::string code_;
  std::string message_;
  State state_ = State::running;
  std::chrono::milliseconds interval_{};
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace cloud::rest
