/// Ctrl-C during a training: the first ends it in an orderly way, the second at once.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI::training {

/// While one of these lives, the first SIGINT only sets `requested()`; the second does what the system does by default.
/// The handler that was there before comes back with the last of them. A process that ignores SIGINT goes on ignoring
/// it.
class InterruptGuard {
 public:
  InterruptGuard() noexcept {
    if (state().depth.fetch_add(1) > 0) return;
    state().requested = 0;
    ::sigaction(SIGINT, nullptr, &state().previous);
    if (state().previous.sa_handler == SIG_IGN) return;
    struct sigaction action {};
    action.sa_handler = [](int) {
      state().requested = 1;
      constexpr std::string_view text = "\nInterrupted: this iteration is finished first. Once more ends at once.\n";
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    };
    ::sigemptyset(&action.sa_mask);
    // A terminal sends it to the whole foreground group: system calls of other threads should not fail.
    action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard() {
    if (state().depth.fetch_sub(1) == 1) ::sigaction(SIGINT, &state().previous, nullptr);
  }

  static bool requested() noexcept { return state().requested != 0; }

 private:
  struct State {
    volatile std::sig_atomic_t requested = 0;
    std::atomic<int> depth{0};
    struct sigaction previous {};
  };
  static State& state() noexcept {
    static State state;  // constant, though nvcc cannot see it: a handler may call this
    return state;
  }
};

}  // namespace dnn::inline DNN_ABI::training
