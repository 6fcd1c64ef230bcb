/// Giving up from outside: one token is handed to everything that may take long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "cloud/core/error.hpp"

namespace cloud {

/// A shared flag. Copies are the same flag; a default-made token is its own flag, which nobody may ever raise.
///
///     CancelToken cancel;
///     std::thread([cancel]() mutable { cancel.cancel(); });
///     if (!cancel.sleep_for(5s)) …   // woken early
class CancelToken {
 public:
  void cancel() {
    const std::scoped_lock lock(state_->mutex);
    state_->raised = true;
    state_->changed.notify_all();
  }
  bool canceled() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->raised;
  }
  /// Sleeps; false when the token was raised before the time was over.
  bool sleep_for(std::chrono::milliseconds time) const {
    std::unique_lock lock(state_->mutex);
    return !state_->changed.wait_for(lock, time, [&] { return state_->raised; });
  }
  /// Throws CanceledError when raised.
  void check(const std::string& tried) const {
    if (canceled()) throw CanceledError(tried, "given up on request of the caller");
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool raised = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace cloud
