/// Running another program and reading what it says.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "cloud/core/cancel.hpp"
#include "cloud/core/error.hpp"

namespace cloud {

struct ProgramResult {
  bool found = false;  // whether it could be started at all
  int exit_code = -1;  // 128 + signal when a signal ended it
  bool timed_out = false;
  std::string out{};
  std::string err{};
};

/// Starts `arguments[0]` (looked for in PATH) with these arguments - no shell, no standard input - in a process group
/// of its own, and waits. The group is killed when the time is over, when `cancel` is raised, or when it says more than
/// `max_output` bytes.
inline ProgramResult run_program(const std::vector<std::string>& arguments, std::chrono::milliseconds timeout,
                                 const CancelToken& cancel = {}, std::size_t max_output = std::size_t{1} << 20) {
  ProgramResult result;
  int out[2];
  int err[2];
  if (::pipe2(out, O_CLOEXEC) != 0) throw Error("run " + arguments[0], "no pipe");
  if (::pipe2(err, O_CLOEXEC) != 0) {
    ::close(out[0]);
    ::close(out[1]);
    throw Error("run " + arguments[0], "no pipe");
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  result.found = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(out[1]);
  ::close(err[1]);
  const auto end = std::chrono::steady_clock::now() + timeout;
  pollfd streams[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  std::string* texts[2] = {&result.out, &result.err};
  while (result.found && (streams[0].fd >= 0 || streams[1].fd >= 0)) {
    const bool too_much = result.out.size() + result.err.size() > max_output;
    result.timed_out = std::chrono::steady_clock::now() >= end;
    if (result.timed_out || too_much || cancel.canceled()) {
      ::kill(-pid, SIGKILL);
      break;
    }
    if (::poll(streams, 2, 100) < 0 && errno != EINTR) break;
    for (int i = 0; i < 2; ++i) {
      if (streams[i].fd < 0 || streams[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = ::read(streams[i].fd, buffer, sizeof buffer);
      if (count > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(count));
      } else if (count == 0 || errno != EINTR) {
        streams[i].fd = -1;
      }
    }
  }
  ::close(out[0]);
  ::close(err[0]);
  if (!result.found) return result;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace cloud
