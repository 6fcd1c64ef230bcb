/// Takes what a run logs from the training and sends it from a thread of its own.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/tracking/batch.hpp"
#include "cloud/tracking/spool.hpp"

namespace cloud::tracking {

struct WriterOptions {
  std::chrono::milliseconds interval{100};  // how long values are gathered before they are sent
  std::chrono::milliseconds retry{1000};    // after a failure; doubles up to 30 s
  std::filesystem::path spool{};            // folder for what could not be sent; empty: it is kept in memory only
};

/// Throws ConfigError for a name that MLflow would refuse: 1 to 250 letters, digits, `_ - . / ` and blanks, no leading
/// `/` and no `..`. The rule holds everywhere, so that what works here works there.
inline void check_key(const std::string& tried, std::string_view key) {
  bool good = !key.empty() && key.size() <= 250 && key[0] != '/' && key.find("..") == std::string_view::npos;
  for (const char c : key) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '-' || c == '.' || c == '/' || c == ' ');
  }
  if (good) return;
  throw ConfigError(tried,
                    "a name has 1 to 250 letters, digits, blanks and _ - . /, does not start with / and holds no "
                    "two dots together: '" +
                        std::string(key.substr(0, 300)) + "'");
}

/// The buffer between a training and the place where its run lives. `log` and `add` never wait for that place; a
/// thread, started by the first value, sends what has gathered. Order is kept.
///
/// What is sent: at the latest when the writer goes, when the program ends (also through std::exit), or when it dies of
/// an exception that nobody catches, or of a signal: SIGTERM, SIGINT, SIGHUP, SIGSEGV and its like then wait up to two
/// seconds for the thread, unless the program has a handler of its own for them. Only one that is killed with SIGKILL
/// loses what it logged in the last `interval`.
///
/// When the place cannot be reached, values are kept (with a spool also on disk) and sent later, by this program or by
/// the next one with the same spool folder; a point may then be stored twice. What the place refuses is reported on
/// stderr, without the rest being lost.
class Writer {
 public:
  using Sink = std::function<void(const std::string& run_id, const Batch&)>;

  Writer(std::string run_id, Sink sink, WriterOptions options = {})
      : run_id_(std::move(run_id)), sink_(std::move(sink)), options_(std::move(options)), spool_(options_.spool) {
    const std::scoped_lock lock(all().mutex);
    all().writers.push_back(this);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    {
      const std::scoped_lock lock(all().mutex);
      std::erase(all().writers, this);
    }
    {
      const std::scoped_lock lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    if (!thread_.joinable()) return;
    if (process_ == ::getpid()) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }

  /// One point. Without a step: the step after the last one of that key, from 0 on.
  void log(const std::string& key, double value, std::optional<std::int64_t> step) {
    check_key("log a metric", key);
    const Milliseconds now = now_ms();
    const std::scoped_lock lock(mutex_);
    std::int64_t& next = next_step_[key];
    const std::int64_t at = step.value_or(next);
    next = at + 1;
    const bool first = pending_.empty();
    pending_.metrics.push_back({key, value, now, at});
    added(1, first);
  }

  /// All of it. Metrics with timestamp 0 are of now.
  void add(Batch batch) {
    for (const Param& param : batch.params) check_key("log a param", param.key);
    for (const Tag& tag : batch.tags) check_key("set a tag", tag.key);
    for (Metric& metric : batch.metrics) {
      check_key("log a metric", metric.key);
      if (metric.timestamp == 0) metric.timestamp = now_ms();
    }
    const std::scoped_lock lock(mutex_);
    for (const Metric& metric : batch.metrics) next_step_[metric.key] = metric.step + 1;
    const bool first = pending_.empty();
    const std::size_t count = size(batch);
    append(pending_, std::move(batch));
    added(count, first);
  }

  /// Sends what is there now and waits for it. False: not all of it could be sent (it will be tried again).
  bool flush(std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    std::unique_lock lock(mutex_);
    const std::uint64_t all_of_it = added_;
    if (sent_ >= all_of_it) return true;
    const std::uint64_t tries = tries_ + (sending_ ? 2 : 1);  // the one under way may not hold all
    hurry_ = true;
    wake_.notify_all();
    done_.wait_for(lock, timeout, [&] { return sent_ >= all_of_it || tries_ >= tries; });
    return sent_ >= all_of_it;
  }

 private:
  struct All {
    std::mutex mutex;
    std::vector<Writer*> writers;
    std::terminate_handler before = nullptr;
  };

  // Never destroyed: a writer may be a static object of somebody else.
  static All& all() {
    static All* const all = [] {
      All* made = new All;
      std::atexit([] { flush_all(std::chrono::seconds(30)); });
      made->before = std::set_terminate([] {
        flush_all(std::chrono::seconds(2));
        if (Writer::all().before != nullptr) Writer::all().before();
        std::abort();
      });
      return made;
    }();
    return *all;
  }
  static void flush_all(std::chrono::milliseconds timeout) {
    std::vector<Writer*> writers;
    {
      const std::scoped_lock lock(all().mutex);
      writers = all().writers;
    }
    for (Writer* writer : writers) {
      if (writer->process_ == ::getpid()) writer->flush(timeout);
    }
  }

  // Of all writers: the values that are neither sent nor spooled; and whether a signal is about to end the program.
  static std::atomic<std::int64_t>& at_risk() {
    static std::atomic<std::int64_t> count{0};
    return count;
  }
  static std::atomic<bool>& dying() {
    static std::atomic<bool> flag{false};
    return flag;
  }
  static constexpr int kAsked[] = {SIGTERM, SIGINT, SIGHUP};
  static constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

  // Takes the signals that nobody has taken, the first time that there is something to lose.
  static void watch_signals() {
    if (watcher().exchange(::getpid()) == ::getpid()) return;
    at_risk() = 0;  // what a fork brought along is its parent's
    dying() = false;
    for (const int signal : kAsked) watch(signal);
    for (const int signal : kCrashes) watch(signal);
  }
  // The process that has done that; a fork of it has no thread to wait for.
  static std::atomic<pid_t>& watcher() {
    static std::atomic<pid_t> process{0};
    return process;
  }
  static void watch(int signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
    action.sa_handler = &on_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // what follows is the default
    ::sigaction(signal, &action, nullptr);
  }
  // Only waits: everything else is the thread's work, if that can still work.
  static void on_signal(int signal) {
    dying().store(true);
    const timespec pause{0, 10'000'000};
    for (int i = 0; i < 200 && at_risk().load() > 0 && watcher() == ::getpid(); ++i) ::nanosleep(&pause, nullptr);
    ::raise(signal);
  }

  static std::size_t size(const Batch& batch) { return batch.metrics.size() + batch.params.size() + batch.tags.size(); }
  static void append(Batch& to, Batch&& more) {
    std::move(more.metrics.begin(), more.metrics.end(), std::back_inserter(to.metrics));
    std::move(more.params.begin(), more.params.end(), std::back_inserter(to.params));
    std::move(more.tags.begin(), more.tags.end(), std::back_inserter(to.tags));
  }

  // With the lock. Only the first value that waits wakes the thread: the others cost nothing more.
  void added(std::size_t count, bool first) {
    if (count == 0) return;
    if (!thread_.joinable()) watch_signals();
    added_ += count;
    at_risk() += static_cast<std::int64_t>(count);
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    if (first) wake_.notify_all();
  }

  void work() {
    // A signal that this thread handled would wait for itself.
    sigset_t asked;
    sigemptyset(&asked);
    for (const int signal : kAsked) sigaddset(&asked, signal);
    ::pthread_sigmask(SIG_BLOCK, &asked, nullptr);
    std::unique_lock lock(mutex_);
    while (!(closing_ && sent_ == added_)) {
      wake_.wait(lock, [&] { return closing_ || sent_ < added_; });
      const auto pause = failures_ == 0 ? options_.interval : retry_pause();
      const auto until = std::chrono::steady_clock::now() + pause;
      while (!closing_ && !hurry_ && !dying() && std::chrono::steady_clock::now() < until) {
        // A signal's handler cannot wake anybody.
        wake_.wait_until(lock, std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(50)));
      }
      const bool last_try = closing_;
      hurry_ = false;
      Batch batch = std::exchange(pending_, {});
      const std::uint64_t sent_with_this = added_;
      sending_ = true;
      lock.unlock();
      const bool good = deliver(std::move(batch));
      lock.lock();
      sending_ = false;
      ++tries_;
      if (good) sent_ = sent_with_this;
      done_.notify_all();
      if (last_try && !good) {
        report(std::to_string(size(unsent_)) + " values could not be sent" +
               (spool_.empty() ? "" : "; they wait in " + spool_.folder().string()));
        at_risk() -= std::exchange(risked_, 0);
        return;
      }
    }
  }

  std::chrono::milliseconds retry_pause() const {
    return std::min<std::chrono::milliseconds>(options_.retry * (1 << std::min(failures_ - 1, 10)),
                                               std::chrono::seconds(30));
  }

  // Everything below runs on the thread.

  bool deliver(Batch batch) {
    const Batch fresh = options_.spool.empty() ? Batch{} : batch;
    risked_ += static_cast<std::int64_t>(size(batch));
    append(unsent_, std::move(batch));
    try {
      send(run_id_, unsent_);
      unsent_ = {};
      at_risk() -= std::exchange(risked_, 0);
      spool_.clear();
      if (failures_ > 0) report("sent what had waited");
      failures_ = 0;
      if (!adopted_ && !options_.spool.empty()) {
        spool_.adopt([&](const std::string& run_id, const Batch& left) { send(run_id, left); });
        adopted_ = true;
      }
      return true;
    } catch (const std::exception& error) {
      if (unsent_.empty()) return true;  // only the adopted could not be sent
      if (++failures_ == 1) report(std::string("will try again: ") + error.what());
    }
    try {
      if (!fresh.empty()) {
        spool_.append(run_id_, fresh);
        at_risk() -= std::exchange(risked_, 0);
      }
    } catch (const std::exception& error) {
      if (failures_ == 1) report(error.what());
    }
    return false;
  }

  // Throws when it is worth trying again. What is refused for good is reported; the items are then sent on their own,
  // those first that may be sent twice.
  void send(const std::string& run_id, const Batch& batch) {
    try {
      if (!batch.empty()) sink_(run_id, batch);
    } catch (const Error& error) {
      if (!is_final(error)) throw;
      if (size(batch) == 1 || size(batch) == batch.metrics.size()) {
        report(error.what());
        return;
      }
      for (const Param& param : batch.params) send(run_id, {.params = {param}});
      for (const Tag& tag : batch.tags) send(run_id, {.tags = {tag}});
      send(run_id, {.metrics = batch.metrics});
    }
  }

  static bool is_final(const Error& error) {
    const int status = error.status();
    if (status >= 400 && status < 500) return status != 401 && status != 403 && status != 408 && status != 429;
    return dynamic_cast<const ConflictError*>(&error) != nullptr ||
           dynamic_cast<const ConfigError*>(&error) != nullptr ||
           dynamic_cast<const NotFoundError*>(&error) != nullptr ||
           dynamic_cast<const UnsupportedError*>(&error) != nullptr;
  }

  void report(const std::string& text) const {
    std::fprintf(stderr, "Logging to run %s: %s\n", run_id_.c_str(), text.c_str());
  }

  const std::string run_id_;
  const Sink sink_;
  const WriterOptions options_;
  const pid_t process_ = ::getpid();  // a fork of it has no thread to send what it logs

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::thread thread_;
  Batch pending_;
  std::map<std::string, std::int64_t> next_step_;
  std::uint64_t added_ = 0, sent_ = 0, tries_ = 0;  // items, items, attempts
  bool closing_ = false, hurry_ = false, sending_ = false;

  Spool spool_;
  Batch unsent_;
  std::int64_t risked_ = 0;  // of these, neither sent nor spooled
  int failures_ = 0;         // since the last success
  bool adopted_ = false;
};

}  // namespace cloud::tracking
