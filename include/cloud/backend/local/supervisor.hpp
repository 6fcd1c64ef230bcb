/// The process that leads a submitted run from its snapshot to its end.
///
/// `Supervisor::start(root, id)` starts this very program again (/proc/self/exe) as a process of its own session that
/// outlives its maker. Before `main` it finds CLOUD_SUPERVISE_RUN in its environment, leads that run, and exits.
///
/// Whatever is killed, and when:
/// - There is at most one supervisor of a run: it holds `supervisor.lock`. Who finds an unfinished run without one
/// starts
///   one (LocalBackend does, whenever a workspace is opened or a run is looked at, and so does the run's keeper).
/// - A supervisor starts from the top and finds what is done: each step leaves a note when it is complete (a marker, a
///   STEP.exit, files renamed into place), is skipped when the note is there, and can be repeated when it is not.
/// - A program is started at most once: it has a STEP.pid from then on. How it ended is in STEP.exit, which its keeper
///   writes (process.hpp). Neither note, and no keeper: both were killed; the run has failed.
/// - The last step writes phase, exit code and error in one transaction.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cloud/backend/local/file_lock.hpp"
#include "cloud/backend/local/folders.hpp"
#include "cloud/backend/local/job.hpp"
#include "cloud/backend/local/process.hpp"
#include "cloud/backend/local/store.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/sha256.hpp"

namespace cloud::local {

class Supervisor {
 public:
  /// Starts a process that leads the run; returns at once. Starting one too many does no harm.
  static void start(const fs::path& root, const std::string& id) {
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!std::string_view(*entry).starts_with("CLOUD_")) environment.emplace_back(*entry);
    }
    environment.push_back("CLOUD_SUPERVISE_ROOT=" + root.string());
    environment.push_back("CLOUD_SUPERVISE_RUN=" + id);
    detail::ArgumentArray variables(std::move(environment));
    detail::ArgumentArray arguments({"cloud-supervisor", root.string(), id});  // for people who look at ps

    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    const std::string log = (Folders{root}.control(id) / "supervisor.log").string();
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, "/proc/self/exe", &files, &attributes, arguments.pointers.data(),
                                     variables.pointers.data());
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0) throw Error("start the supervisor of " + id, std::strerror(failed));
    // It forks at once and ends, so that the supervisor is nobody's child here and this wait is short.
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  /// What start()'s process does; never throws.
  static void lead(const fs::path& root, const std::string& id) noexcept {
    try {
      const Folders folders{root};
      auto lock = FileLock::try_lock(folders.supervisor_lock(id));
      if (lock) Supervisor(folders, id, std::move(*lock)).lead();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s supervisor of %s: %s\n", rfc3339(now_ms()).c_str(), id.c_str(), error.what());
    }
  }

 private:
  // The run has failed for a reason of its own.
  struct Failure {
    std::string reason;
  };
  // It was canceled before its program started.
  struct Canceled {};

  Supervisor(const Folders& folders, const std::string& id, FileLock lock)
      : folders_(folders), id_(id), lock_(std::move(lock)), store_(folders.history()), control_(folders.control(id)) {}

  void lead() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, nullptr);

    const auto row = store_.find_run(id_);
    if (!row || row->kind != RunKind::submitted) return;
    if (row->info.ended != 0) {
      stop_keeper(0);  // there should be none
      return;
    }
    try {
      // A run that kills its supervisors (no memory, no disk) must not do so for ever.
      if (row->supervisors >= 200) throw Failure{"its supervisors ended before it, 200 times"};
      store_.count_supervisor(id_);
      job_ = load_job(folders_.job(id_));
      lead_to_the_end();
    } catch (const Failure& failure) {
      end(Phase::failed, std::nullopt, failure.reason);
    } catch (const Canceled&) {
      end(Phase::canceled, std::nullopt, "");
    } catch (const std::exception& error) {
      stop_keeper(0);
      end(Phase::failed, std::nullopt, error.what());
    }
  }

  void lead_to_the_end() {
    Ending ending;
    if (fs::exists(control_ / "program.pid") || fs::exists(control_ / "program.exit")) {
      ending = run_step("program", {}, nullptr);
    } else {
      store_.set_phase(id_, Phase::preparing);
      const fs::path file = prepare();
      std::optional<FileLock> slot = wait_for_slot();
      check_canceled();
      store_.set_phase(id_, Phase::running);
      Program program{.file = file,
                      .arguments = job_.spec.arguments,
                      .environment = job_.environment,
                      .directory = folders_.work(id_),
                      .log = log_file(kStdLog)};
      program.environment["CLOUD_WORKSPACE"] = folders_.root.string();
      program.environment["CLOUD_RUN_ID"] = id_;
      program.environment["CLOUD_EXPERIMENT"] = job_.spec.experiment;
      ending = run_step("program", program, slot ? &*slot : nullptr);
    }
    const std::string stopped = read_note("stopped");  // why we stopped it, if we did
    store_.set_phase(id_, Phase::post_processing);
    collect("outputs");
    collect("logs");
    const std::optional<int> exit_code =
        ending.error.empty() && ending.signal == 0 ? std::optional<int>(ending.exit_code) : std::nullopt;
    if (stopped == "canceled") {
      end(Phase::canceled, exit_code, "");
    } else if (!stopped.empty()) {
      end(Phase::failed, exit_code, stopped);
    } else {
      end(ending.good() ? Phase::completed : Phase::failed, exit_code,
          ending.good() ? "" : "the program failed: " + ending.text());
    }
  }

  // Preparing: returns the file to start.
  fs::path prepare() {
    const fs::path snapshot = folders_.snapshots() / job_.snapshot;
    if (!fs::exists(control_ / "work.ready")) {
      fs::remove_all(folders_.work(id_));
      fs::copy(snapshot, folders_.work(id_), fs::copy_options::recursive);
      fs::create_directories(folders_.work(id_) / "outputs");
      fs::create_directories(folders_.work(id_) / "logs");
      write_file(control_ / "work.ready", "");
    }
    if (fs::exists(snapshot / "CMakeLists.txt")) return build(snapshot);
    const fs::path file = safe_join(folders_.work(id_), job_.spec.entry);
    if (!fs::is_regular_file(file)) {
      throw Failure{"the source directory has neither a CMakeLists.txt nor a file '" + job_.spec.entry + "'"};
    }
    fs::permissions(file, fs::perms::owner_exec, fs::perm_options::add);
    return file;
  }

  // One build for all runs of the same content and options; whoever comes second waits for the first, or finds it done.
  fs::path build(const fs::path& snapshot) {
    std::string key = job_.snapshot;
    for (const std::string& option : job_.spec.cmake_options) key += '\n' + option;
    for (const char* name : {"CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CUDACXX"}) {
      const auto found = job_.environment.find(name);
      if (found != job_.environment.end()) key += '\n' + found->first + '=' + found->second;
    }
    const fs::path folder = folders_.builds() / sha256(key).substr(0, 32);
    const fs::path build_folder = folder / "build";
    const fs::path built = folder / ("built." + job_.spec.entry);
    fs::create_directories(folder);
    // The keeper of a step holds this lock, too: a build goes on, and stays alone, when its supervisor is killed.
    auto lock = FileLock::try_lock(folder / "lock");
    if (!lock) note("Waiting for another run that builds the same sources ...");
    while (!lock) {
      pause();
      if (cancel_requested()) stop_keeper(job_.spec.grace.count());
      if (!FileLock::held(control_ / "keeper.lock")) check_canceled();
      fs::create_directories(folder);  // it may have been pruned just now
      lock = FileLock::try_lock(folder / "lock");
    }
    if (fs::exists(built)) {
      fs::last_write_time(folder, fs::file_time_type::clock::now());  // it is used (LocalBackend::prune)
      note("Using the build of these sources that is there already.");
      return find_entry(build_folder);
    }
    const std::string path = job_.environment["PATH"];
    const fs::path cmake = find_program("cmake", path);
    if (cmake.empty()) throw Failure{"there is no cmake in PATH (Debian and Ubuntu: apt-get install cmake)"};
    std::vector<std::string> configure{"-S", snapshot.string(), "-B", build_folder.string(),
                                       "-DCMAKE_BUILD_TYPE=Release"};
    if (!fs::exists(build_folder / "CMakeCache.txt") && !find_program("ninja", path).empty()) {
      configure.insert(configure.end(), {"-G", "Ninja"});
    }
    configure.insert(configure.end(), job_.spec.cmake_options.begin(), job_.spec.cmake_options.end());
    run_cmake("configure", cmake, configure);
    run_cmake("build", cmake,
              {"--build", build_folder.string(), "--target", job_.spec.entry, "--parallel",
               std::to_string(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L))});
    const fs::path file = find_entry(build_folder);
    write_file(built, "");
    return file;
  }

  void run_cmake(const std::string& step, const fs::path& cmake, std::vector<std::string> arguments) {
    Program program{.file = cmake,
                    .arguments = std::move(arguments),
                    .environment = job_.environment,
                    .directory = folders_.run(id_),
                    .log = log_file(kBuildLog)};
    program.environment["CLOUD_RUN_ID"] = id_;
    const Ending ending = run_step(step, program, nullptr);
    check_canceled();
    if (!ending.good())
      throw Failure{"cmake could not " + step + ": " + ending.text() + "; its output is in " + kBuildLog};
  }

  fs::path find_entry(const fs::path& folder) const {
    fs::path best;
    auto entry = fs::recursive_directory_iterator(folder);
    for (; entry != fs::recursive_directory_iterator(); ++entry) {
      if (entry->path().filename() == "CMakeFiles") entry.disable_recursion_pending();
      if (entry->path().filename() != job_.spec.entry || !entry->is_regular_file()) continue;
      if (::access(entry->path().c_str(), X_OK) != 0) continue;
      if (best.empty() || entry->path().string().size() < best.string().size()) best = entry->path();
    }
    if (best.empty()) throw Failure{"the build made no program '" + job_.spec.entry + "'"};
    return best;
  }

  // Scaling: one of the compute's max_nodes slots, or none when the run names no compute.
  std::optional<FileLock> wait_for_slot() {
    const std::string& name = job_.spec.compute;
    if (name.empty()) return std::nullopt;
    store_.set_phase(id_, Phase::scaling);
    fs::create_directories(folders_.compute(name));
    for (;;) {
      const auto computes = store_.computes();
      const auto compute = computes.find(name);
      if (compute == computes.end()) throw Failure{"there is no compute '" + name + "' any more"};
      for (int i = 0; i < compute->second.max_nodes; ++i) {
        if (auto slot = FileLock::try_lock(folders_.compute(name) / ("slot-" + std::to_string(i)))) return slot;
      }
      pause();
      check_canceled();
    }
  }

  // Runs a program under a keeper and waits for its end; goes on with it, or only reads how it ended, when it was
  // started before. `slot` goes to the keeper.
  Ending run_step(const std::string& step, const Program& program, FileLock* slot) {
    const fs::path exit_file = control_ / (step + ".exit");
    const fs::path pid_file = control_ / (step + ".pid");
    const fs::path keeper_lock = control_ / "keeper.lock";
    const bool is_program = step == "program";
    std::map<pid_t, int> ended;
    for (;;) {
      if (const auto ending = read_ending(exit_file)) return *ending;
      bool started = false;
      if (auto lock = FileLock::try_lock(keeper_lock)) {
        if (const auto ending = read_ending(exit_file)) return *ending;  // it ended just now
        if (fs::exists(pid_file)) {
          kill_processes_with(mark());
          if (is_program) return lost();
          fs::remove(pid_file);
        }
        start_keeper(step, program);
        started = true;
      }
      if (slot != nullptr && started) slot->release();

      while (FileLock::held(keeper_lock)) {
        reap(ended);
        if (read_note("stopped").empty()) stop_if_asked(is_program);
        pause();
      }
      if (const auto ending = read_ending(exit_file)) return *ending;
      if (!started && !fs::exists(pid_file)) continue;  // that was the keeper of an earlier step
      break;
    }

    // The keeper was killed. With it the program, unless that had ended already: then its real end is still to be had
    // here.
    kill_processes_with(mark());
    kill_children(ended);
    const auto pid = fs::exists(pid_file) ? parse_number<pid_t>(read_file(pid_file)) : std::nullopt;
    const auto found = pid ? ended.find(*pid) : ended.end();
    const Ending ending = found != ended.end() && WIFEXITED(found->second) ? ending_from(found->second) : lost();
    write_ending(exit_file, ending);
    return ending;
  }

  static Ending lost() { return {.error = "the process that watched over it was killed, and with it the program"}; }

  void start_keeper(const std::string& step, const Program& program) {
    const pid_t pid = ::fork();
    if (pid < 0) throw Error("start a keeper", std::strerror(errno));
    if (pid != 0) return;
    // The keeper. From here on it holds keeper.lock, and what its supervisor held but this:
    lock_.release();
    ::setpgid(0, 0);
    try {
      keep(program, {.control = control_, .step = step, .mark = mark(), .each_second = [this] {
                       if (!FileLock::held(folders_.supervisor_lock(id_))) start(folders_.root, id_);
                     }});
    } catch (const std::exception& error) {
      try {
        write_ending(control_ / (step + ".exit"), {.error = error.what()});
      } catch (const std::exception&) {
      }
    }
    ::_exit(0);
  }

  static void reap(std::map<pid_t, int>& ended) {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) ended[pid] = status;
  }

  void stop_if_asked(bool is_program) {
    const auto row = store_.find_run(id_);
    if (!row) return;
    std::string reason;
    if (row->cancel_requested) reason = "canceled";
    if (is_program && job_.spec.timeout.count() > 0 && row->info.started != 0 &&
        now_ms() - row->info.started > job_.spec.timeout.count() * 1000) {
      reason = "it did not end within " + std::to_string(job_.spec.timeout.count()) + " s";
    }
    if (reason.empty()) return;
    write_file(control_ / "stopped", reason);
    stop_keeper(job_.spec.grace.count());
  }

  void stop_keeper(Milliseconds grace) {
    if (!fs::exists(control_ / "stop")) write_file(control_ / "stop", std::to_string(grace));
  }

  // Post-processing: moves work/FOLDER into the artifacts, file by file, so that it can be repeated. Links are followed
  // only within the working directory.
  void collect(const std::string& name) {
    const fs::path from = folders_.work(id_) / name;
    const fs::path to = folders_.artifacts(id_) / name;
    std::error_code failed;
    if (!fs::is_directory(from, failed)) return;
    const std::string inside = fs::canonical(folders_.work(id_)).string() + "/";
    std::vector<fs::path> links;
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
      const fs::path target = to / fs::relative(entry.path(), from);
      if (entry.is_symlink()) {
        links.push_back(entry.path());
      } else if (entry.is_regular_file() && is_safe_name(fs::relative(entry.path(), from).generic_string())) {
        fs::create_directories(target.parent_path());
        // Links to this file are copied below, so it stays until the folder goes.
        fs::create_hard_link(entry.path(), target, failed);
        if (failed) copy_whole_file(entry.path(), target);
      }
    }
    for (const fs::path& link : links) {
      const fs::path real = fs::canonical(link, failed);
      if (failed || !real.string().starts_with(inside) || !fs::is_regular_file(real)) {
        note("Left out: " + link.string() + " is a link to nowhere, to a folder, or out of the working directory.");
        continue;
      }
      copy_whole_file(real, to / fs::relative(link.parent_path(), from) / link.filename());
    }
  }

  void end(Phase phase, std::optional<int> exit_code, const std::string& error) {
    // The program's variables may be secrets, and are needed no more.
    job_.environment.clear();
    if (!job_.snapshot.empty()) save_job(folders_.job(id_), job_);
    store_.finish(id_, phase, exit_code, error);
    // What follows only tidies up. A failed run keeps its working directory for whoever wants to know why.
    std::error_code ignored;
    if (phase != Phase::failed) fs::remove_all(folders_.work(id_), ignored);
  }

  bool cancel_requested() {
    const auto row = store_.find_run(id_);
    return row && row->cancel_requested;
  }
  void check_canceled() {
    if (cancel_requested()) throw Canceled{};
  }
  void note(const std::string& line) {
    const fs::path file = log_file(kBuildLog);
    if (std::FILE* log = std::fopen(file.c_str(), "ae")) {
      std::fprintf(log, "%s\n", line.c_str());
      std::fclose(log);
    }
  }
  fs::path log_file(const char* name) const {
    const fs::path file = folders_.artifacts(id_) / name;
    fs::create_directories(file.parent_path());
    return file;
  }
  std::string read_note(const char* name) const {
    return fs::exists(control_ / name) ? read_file(control_ / name) : std::string();
  }
  std::string mark() const { return "CLOUD_RUN_ID=" + id_; }
  // A tick, cut short when a child ends.
  static void pause() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const timespec tick{0, 100'000'000};
    ::sigtimedwait(&child, nullptr, &tick);
  }

  Folders folders_;
  std::string id_;
  FileLock lock_;
  Store store_;
  fs::path control_;
  Job job_;
};

namespace detail {

/// Turns a process made by Supervisor::start into the supervisor, before main; nothing in any other process.
struct SupervisorHook {
  SupervisorHook() {
    const char* id = std::getenv("CLOUD_SUPERVISE_RUN");
    const char* root = std::getenv("CLOUD_SUPERVISE_ROOT");
    if (id == nullptr || root == nullptr) return;
    const std::string run = id;
    const std::string folder = root;
    ::unsetenv("CLOUD_SUPERVISE_RUN");
    ::unsetenv("CLOUD_SUPERVISE_ROOT");
    if (::fork() != 0) ::_exit(0);
    // Nothing of the maker's stays open here: a pipe that is would keep its reader waiting.
    std::vector<int> open;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      if (const auto fd = parse_number<int>(entry.path().filename().string()); fd && *fd > 2) open.push_back(*fd);
    }
    for (const int fd : open) ::close(fd);
    Supervisor::lead(folder, run);
    ::_exit(0);
  }
};

inline const SupervisorHook supervisor_hook;

}  // namespace detail
}  // namespace cloud::local
