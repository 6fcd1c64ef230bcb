/// Processes of a run: starting them without a shell, watching them, and leaving none behind.
///
/// A program is started by its keeper, a process that does nothing but wait for it:
///
///     supervisor ── keeper ── program ── whatever it starts
///
/// - The keeper writes down how the program ended (`STEP.exit`), so a killed supervisor loses nothing: the next one
/// reads
///   it. The keeper also starts that next one when it sees that there is none (supervisor.hpp).
/// - When the keeper is killed, the kernel kills the program (PR_SET_PDEATHSIG), and the supervisor, being the
/// subreaper of
///   them all, still learns how it ended.
/// - What the program leaves running is found by the mark in its environment, `CLOUD_RUN_ID=…`, whatever group or
/// session
///   it moved to, and killed.
///
/// The keeper holds the lock `keeper.lock` from before it is forked until it has ended. Linux only.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/local/file_lock.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/text.hpp"
#include "cloud/json/json.hpp"

extern char** environ;

namespace cloud::local {

using Environment = std::map<std::string, std::string>;

struct Program {
  fs::path file;  // absolute
  std::vector<std::string> arguments{};
  Environment environment{};
  fs::path directory{};
  fs::path log{};  // stdout and stderr are added to it
};

/// How a program ended.
struct Ending {
  int exit_code = 0;
  int signal = 0;       // not 0: killed by it
  std::string error{};  // not empty: it could not be started, or nobody saw its end

  bool good() const { return exit_code == 0 && signal == 0 && error.empty(); }
  std::string text() const {
    if (!error.empty()) return error;
    if (signal != 0) return "it was ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
    return "it ended with exit code " + std::to_string(exit_code);
  }
};

inline Ending ending_from(int status) {
  Ending ending;
  if (WIFSIGNALED(status)) {
    ending.signal = WTERMSIG(status);
  } else {
    ending.exit_code = WEXITSTATUS(status);
  }
  return ending;
}

inline void write_ending(const fs::path& file, const Ending& ending) {
  write_file(file,
             json::dump(Json{{"exit_code", ending.exit_code}, {"signal", ending.signal}, {"error", ending.error}}));
}

inline std::optional<Ending> read_ending(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  const Json read = json::parse_or_null(read_file(file));
  return Ending{.exit_code = static_cast<int>(json::integer(read, {"exit_code"}, -1)),
                .signal = static_cast<int>(json::integer(read, {"signal"})),
                .error = json::text(read, {"error"})};
}

/// The processes of this user whose environment, as they were started, holds `mark` (NAME=VALUE).
inline std::vector<pid_t> processes_with(const std::string& mark) {
  std::vector<pid_t> found;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = ::readdir(proc)) {
    const auto pid = parse_number<pid_t>(entry->d_name);
    if (!pid || *pid == ::getpid()) continue;
    std::string environment;
    try {
      environment = '\0' + read_file("/proc/" + std::string(entry->d_name) + "/environ");
    } catch (const Error&) {
      continue;  // ended meanwhile, or somebody else's
    }
    if (environment.find('\0' + mark + '\0') != std::string::npos) found.push_back(*pid);
  }
  ::closedir(proc);
  return found;
}

/// Kills every process with `mark` until there are no more. (A process that only now execs has the mark of the one that
/// forked it, so none slips through for longer than a round.)
inline void kill_processes_with(const std::string& mark) {
  for (int round = 0; round < 200; ++round) {
    const std::vector<pid_t> found = processes_with(mark);
    bool alive = false;
    for (const pid_t pid : found) alive = ::kill(pid, SIGKILL) == 0 || alive;
    if (!alive) return;
    ::usleep(5000);
  }
}

/// Kills and reaps every child of this process until there are no more, and so all their descendants: what loses its
/// parent becomes a child of the subreaper above it. Supervisors are spared: a program that is a run may submit runs.
/// How the children ended is added to `ended`.
inline void kill_children(std::map<pid_t, int>& ended) {
  const std::string self = std::to_string(::getpid());
  for (int round = 0; round < 1000; ++round) {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) ended[pid] = status;
    bool alive = false;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const auto pid = parse_number<pid_t>(entry.path().filename().string());
      if (!pid) continue;
      try {
        // pid (name) state parent …; the name may hold anything
        const std::string stat = read_file(entry.path() / "stat");
        const std::vector<std::string> fields = split(std::string_view(stat).substr(stat.rfind(')') + 1), ' ');
        if (fields.size() < 3 || fields[2] != self) continue;
        if (read_file(entry.path() / "cmdline").starts_with("cloud-supervisor")) continue;
        alive = ::kill(*pid, SIGKILL) == 0 || alive;
      } catch (const Error&) {
        continue;  // ended meanwhile
      }
    }
    if (!alive) return;
    ::usleep(5000);
  }
}

/// The file that a shell would start for `name`; empty when PATH holds none.
inline fs::path find_program(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  for (const std::string& folder : split(path, ':')) {
    const fs::path file = fs::path(folder.empty() ? "." : folder) / name;
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

namespace detail {

struct ArgumentArray {
  explicit ArgumentArray(std::vector<std::string> from) : texts(std::move(from)) {
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
  std::vector<std::string> texts;
  std::vector<char*> pointers;
};

inline ArgumentArray environment_array(const Environment& environment) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : environment) texts.push_back(name + "=" + value);
  return ArgumentArray(std::move(texts));
}

inline ArgumentArray argument_array(const Program& program) {
  std::vector<std::string> texts{program.file.string()};
  texts.insert(texts.end(), program.arguments.begin(), program.arguments.end());
  return ArgumentArray(std::move(texts));
}

/// The new process's half of starting a program; never returns. `keeper` must be its parent.
[[noreturn]] inline void become(const Program& program, pid_t keeper, int failure, char* const* arguments,
                                char* const* environment) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::_exit(127);  // it died before the kernel was asked to tell
  const int input = ::open("/dev/null", O_RDONLY);
  const int output = ::open(program.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  int reason = 0;
  if (input < 0 || output < 0 || ::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) reason = errno;
  if (input > 2) ::close(input);
  if (output > 2) ::close(output);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (reason == 0 && ::chdir(program.directory.c_str()) != 0) reason = errno;
  if (reason == 0) {
    ::execve(program.file.c_str(), arguments, environment);
    reason = errno;
  }
  [[maybe_unused]] const ssize_t told = ::write(failure, &reason, sizeof reason);
  ::_exit(127);
}

}  // namespace detail

/// What a keeper needs to know beside the program.
struct Keeping {
  fs::path control;  // the run's control folder
  std::string step;  // names STEP.pid and STEP.exit
  std::string mark;  // CLOUD_RUN_ID=…
  std::function<void()> each_second;
};

/// A keeper's life. It looks for `control/stop`, which holds a number of milliseconds: then the program gets SIGTERM,
/// and after that time SIGKILL. Returns when the program has ended, nothing of it is left and the ending is written.
inline void keep(const Program& program, const Keeping& keeping) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);

  auto arguments = detail::argument_array(program);
  auto environment = detail::environment_array(program.environment);
  int failure[2];
  if (::pipe2(failure, O_CLOEXEC) != 0) throw Error("start " + program.file.string(), std::strerror(errno));
  const fs::path pid_file = keeping.control / (keeping.step + ".pid");
  write_file(pid_file, "0");  // from here on it counts as started
  const pid_t keeper = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw Error("start " + program.file.string(), std::strerror(errno));
  if (pid == 0) detail::become(program, keeper, failure[1], arguments.pointers.data(), environment.pointers.data());
  ::close(failure[1]);
  write_file(pid_file, std::to_string(pid));

  Ending ending;
  int reason = 0;
  if (::read(failure[0], &reason, sizeof reason) == sizeof reason) {
    ending.error = program.file.string() + " cannot be started: " + std::strerror(reason);
  }
  ::close(failure[0]);

  std::optional<Milliseconds> kill_at;
  bool killed = false;
  Milliseconds last_second = now_ms();
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) break;
    const timespec pause{0, 100'000'000};
    ::sigtimedwait(&child, nullptr, &pause);
    const Milliseconds now = now_ms();
    if (!kill_at && fs::exists(keeping.control / "stop")) {
      kill_at = now + parse_number<Milliseconds>(trim(read_file(keeping.control / "stop"))).value_or(5000);
      ::kill(-pid, SIGTERM);
    }
    if (kill_at && now >= *kill_at && !killed) {
      killed = true;
      ::kill(-pid, SIGKILL);
    }
    if (now - last_second >= 1000) {
      last_second = now;
      keeping.each_second();
    }
  }
  // Not reaped yet, so its process group's number cannot be somebody else's.
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  std::map<pid_t, int> others;
  kill_children(others);
  kill_processes_with(keeping.mark);
  if (ending.error.empty()) ending = ending_from(status);
  write_ending(keeping.control / (keeping.step + ".exit"), ending);
}

}  // namespace cloud::local
