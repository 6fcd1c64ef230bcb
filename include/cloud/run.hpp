/// One run: following it, its files and metrics, and, inside the program that is the run, logging:
///
///     auto run = cloud::Run::get_context();
///     run.log_param("batch size", 128);
///     run.log("Accuracy", accuracy);
///     run.complete();
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/backend/context.hpp"
#include "cloud/core/cancel.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/output.hpp"
#include "cloud/core/text.hpp"
#include "cloud/model.hpp"
#include "cloud/tracking/writer.hpp"

namespace cloud {

struct WaitOptions {
  bool show_output = false;         // phases and log lines, each once
  std::chrono::seconds timeout{0};  // 0: none. The run goes on when it is over
  bool raise_on_error = true;       // throw RunFailedError or CanceledError instead of returning such a run
  Output output = print;
  CancelToken cancel{};  // ends the wait, not the run
};

/// A handle; copies are the same run.
class Run {
 public:
  Run(std::shared_ptr<Backend> backend, std::string id, tracking::WriterOptions logging = {})
      : backend_(std::move(backend)),
        id_(std::move(id)),
        writer_(std::make_shared<tracking::Writer>(
            id_, [to = backend_](const std::string& run, const Batch& batch) { to->log_batch(run, batch); },
            std::move(logging))) {}

  /// The run that this program is, as its environment says (backend/context.hpp): of a local workspace, of Azure, of an
  /// MLflow server, or offline, where what is logged is printed to stderr. The same run at every call. Throws
  /// ConfigError when the environment contradicts itself, and what connecting throws.
  static Run get_context() {
    static const Run run = [] {
      Context context = find_context();
      return Run(std::move(context.backend), std::move(context.run_id), std::move(context.logging));
    }();
    return run;
  }

  const std::string& id() const { return id_; }
  RunInfo info() const { return backend_->get_run(id_); }
  Phase phase() const { return info().phase; }
  const std::shared_ptr<Backend>& backend() const { return backend_; }

  // Following -------------------------------------------------------------------------------------------------------

  /// Waits for the end. With show_output: the run's id and page, a line for each phase, every log line once, and how it
  /// ended. Throws RunFailedError, CanceledError, TimeoutError.
  RunInfo wait_for_completion(const WaitOptions& options = {}) const;

  /// Asks the run to end; returns at once.
  void cancel() const { backend_->cancel_run(id_); }

  // Files -----------------------------------------------------------------------------------------------------------

  std::vector<std::string> file_names(const std::string& prefix = {}) const {
    std::vector<std::string> names;
    for (Artifact& artifact : backend_->list_artifacts(id_, prefix)) names.push_back(std::move(artifact.path));
    return names;
  }
  std::vector<Artifact> files(const std::string& prefix = {}) const { return backend_->list_artifacts(id_, prefix); }

  /// Writes the file to `to`; into it under the file's own name when `to` is a folder or ends with `/`. Returns the
  /// path.
  std::filesystem::path download_file(const std::string& name, const std::filesystem::path& to = "./",
                                      const Progress& progress = {}) const {
    std::filesystem::path file = to;
    if (!to.has_filename() || std::filesystem::is_directory(to)) file = safe_join(to, name.substr(name.rfind('/') + 1));
    backend_->download_artifact(id_, name, file, progress);
    return file;
  }
  /// All files whose name starts with `prefix`, with their folders, into `folder`.
  std::vector<std::filesystem::path> download_files(const std::string& prefix, const std::filesystem::path& folder,
                                                    const Progress& progress = {}) const {
    std::vector<std::filesystem::path> written;
    for (const std::string& name : file_names(prefix)) {
      written.push_back(safe_join(folder, name));
      backend_->download_artifact(id_, name, written.back(), progress);
    }
    return written;
  }
  void upload_file(const std::string& name, const std::filesystem::path& from, const Progress& progress = {}) const {
    backend_->upload_artifact(id_, name, from, progress);
  }

  /// Registers a file or folder of this run, for example "outputs/model.npz", as the next version of `name`.
  Model register_model(const std::string& name, const std::string& path, const RegisterOptions& options = {}) const {
    return Model(
        backend_,
        backend_->register_model(
            {.name = name, .run_id = id_, .path = path, .description = options.description, .tags = options.tags}));
  }

  // Metrics, params, tags -------------------------------------------------------------------------------------------

  /// Adds a point to the series `name`, without waiting for anybody (tracking/writer.hpp). Without a step: the one
  /// after the last, from 0 on. Throws ConfigError for a name that MLflow does not take.
  void log(const std::string& name, double value, std::optional<std::int64_t> step = std::nullopt) const {
    writer_->log(name, value, step);
  }
  /// Many at once. A metric's timestamp 0 is now.
  void log_batch(Batch batch) const { writer_->add(std::move(batch)); }
  /// Set once; another value later is refused, which is reported on stderr.
  void log_param(const std::string& name, std::string value) const {
    writer_->add({.params = {{name, std::move(value)}}});
  }
  void log_param(const std::string& name, double value) const { log_param(name, number_text(value)); }
  void set_tag(const std::string& name, std::string value) const { writer_->add({.tags = {{name, std::move(value)}}}); }

  /// Sends what was logged and waits until it is stored. False: it could not be; it will be tried again.
  bool flush(std::chrono::milliseconds timeout = std::chrono::seconds(30)) const { return writer_->flush(timeout); }

  /// Sends what was logged and ends a run that this program has started itself. One that was submitted is ended by the
  /// program's exit code.
  void complete() const { end(Phase::completed, ""); }
  void fail(const std::string& error = {}) const { end(Phase::failed, error); }

  /// Every point of one series, or of all; params; tags. What was logged through this handle is sent first.
  std::vector<Metric> metrics(const std::string& key = {}) const {
    flush();
    return backend_->metrics(id_, key);
  }
  std::vector<Param> params() const {
    flush();
    return backend_->params(id_);
  }
  std::map<std::string, std::string> tags() const {
    flush();
    return info().tags;
  }

 private:
  void end(Phase phase, const std::string& error) const {
    flush();
    backend_->end_run(id_, phase, error);
  }

  std::shared_ptr<Backend> backend_;
  std::string id_;
  std::shared_ptr<tracking::Writer> writer_;
};

namespace detail {

/// Shows what a run does: phases in order, each once, and log lines, each once.
class RunView {
 public:
  RunView(Backend& backend, const std::string& id, const Output& output)
      : backend_(backend), id_(id), output_(output) {}

  /// Shows what is new. The logs are read after `run` was, so what they hold belongs to its phase or a later one, and
  /// what a phase left behind is complete when `run` has passed it.
  void update(const RunInfo& run) {
    const bool over = is_terminal(run.phase);
    if (!greeted_) {
      output_("RunId: " + id_ + "\n");
      if (!run.web_url.empty()) output_("Web View: " + run.web_url + "\n");
      greeted_ = true;
    }
    show_phase(Phase::preparing);
    for (const std::string& file : run.log_files) {
      if (is_build_log(file)) stream(file, run.phase > Phase::preparing);
    }
    bool started = run.started != 0 || (run.phase >= Phase::running && !over);
    for (const std::string& file : run.log_files) started = started || !is_build_log(file);
    if (!over) show_phase(std::min(run.phase, Phase::scaling));
    if (started) show_phase(Phase::running);
    for (const std::string& file : run.log_files) {
      if (!is_build_log(file)) stream(file, run.phase > Phase::running);
    }
    if (run.phase == Phase::post_processing || (over && started)) show_phase(Phase::post_processing);
    if (!over) return;
    std::string line = std::string(phase_name(run.phase));
    if (run.ended != 0) line += " after " + duration_text(run.ended - run.created);
    if (run.exit_code) line += ", exit code " + std::to_string(*run.exit_code);
    output_("\n" + line + "\n");
    for (const std::string& warning : run.warnings) output_("Warning: " + warning + "\n");
    if (!run.error.empty()) output_("Error: " + run.error + "\n");
  }

 private:
  struct Position {
    std::uint64_t offset = 0;
    std::string partial;  // a line whose end has not come yet
  };

  // Of the image, or of a local run's program; an Azure job that builds its program does so while it is running.
  static bool is_build_log(const std::string& file) {
    return file.find("build") != std::string::npos && !file.starts_with("logs/");
  }

  // Shows this phase and those before it that were too short to be seen.
  void show_phase(Phase phase) {
    for (; next_phase_ <= static_cast<int>(phase); ++next_phase_) {
      output_(std::string("\n== ") + phase_name(static_cast<Phase>(next_phase_)) + "\n");
    }
  }

  void stream(const std::string& file, bool complete) {
    Position& at = positions_[file];
    for (;;) {
      const std::string bytes = backend_.read_log(id_, file, at.offset, 1 << 20);
      if (bytes.empty()) break;
      at.offset += bytes.size();
      at.partial += bytes;
      if (const std::size_t end = at.partial.rfind('\n'); end != std::string::npos) {
        output_(std::string_view(at.partial).substr(0, end + 1));
        at.partial.erase(0, end + 1);
      }
    }
    if (complete && !at.partial.empty()) {
      output_(at.partial + "\n");
      at.partial.clear();
    }
  }

  Backend& backend_;
  const std::string& id_;
  const Output& output_;
  bool greeted_ = false;
  int next_phase_ = 0;
  std::map<std::string, Position> positions_;
};

}  // namespace detail

inline RunInfo Run::wait_for_completion(const WaitOptions& options) const {
  const std::string tried = "wait for run " + id_;
  detail::RunView view(*backend_, id_, options.output);
  const Milliseconds begin = now_ms();
  for (;;) {
    RunInfo run = info();
    if (options.show_output) view.update(run);
    if (is_terminal(run.phase)) {
      if (options.raise_on_error && run.phase == Phase::failed) {
        throw RunFailedError("run " + id_, run.error.empty() ? "it failed, and nothing says why" : run.error);
      }
      if (options.raise_on_error && run.phase == Phase::canceled) throw CanceledError("run " + id_, "it was canceled");
      return run;
    }
    const std::chrono::milliseconds watched(now_ms() - begin);
    if (options.timeout.count() > 0 && watched > options.timeout) {
      throw TimeoutError(
          tried, "it is still " + std::string(phase_name(run.phase)) + " after " + duration_text(watched.count()));
    }
    if (!options.cancel.sleep_for(backend_->poll_interval(watched))) options.cancel.check(tried);
  }
}

}  // namespace cloud
