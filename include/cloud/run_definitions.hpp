/// The definitions of run.hpp: included by it, or compiled once on their own with DNN_CLOUD_SEPARATE (see there).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/backend/context.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/text.hpp"
#include "cloud/run.hpp"
#include "cloud/tracking/writer.hpp"

#ifdef DNN_CLOUD_SEPARATE
#define DNN_CLOUD_INLINE
#else
#define DNN_CLOUD_INLINE inline
#endif

namespace cloud {

DNN_CLOUD_INLINE Run::Run(std::shared_ptr<Backend> backend, std::string id)
    : Run(std::move(backend), std::move(id), tracking::WriterOptions()) {}

DNN_CLOUD_INLINE Run::Run(std::shared_ptr<Backend> backend, std::string id, const tracking::WriterOptions& logging)
    : backend_(std::move(backend)),
      id_(std::move(id)),
      writer_(std::make_shared<tracking::Writer>(
          id_, [to = backend_](const std::string& run, const Batch& batch) { to->log_batch(run, batch); }, logging)) {}

DNN_CLOUD_INLINE Run Run::get_context() {
  static const Run run = [] {
    const Context context = find_context();
    return Run(context.backend, context.run_id, context.logging);
  }();
  return run;
}

// Files ---------------------------------------------------------------------------------------------------------------

DNN_CLOUD_INLINE std::vector<std::string> Run::file_names(const std::string& prefix) const {
  std::vector<std::string> names;
  for (Artifact& artifact : backend_->list_artifacts(id_, prefix)) names.push_back(std::move(artifact.path));
  return names;
}

DNN_CLOUD_INLINE std::filesystem::path Run::download_file(const std::string& name, const std::filesystem::path& to,
                                                          const Progress& progress) const {
  std::filesystem::path file = to;
  if (!to.has_filename() || std::filesystem::is_directory(to)) file = safe_join(to, name.substr(name.rfind('/') + 1));
  backend_->download_artifact(id_, name, file, progress);
  return file;
}

DNN_CLOUD_INLINE std::vector<std::filesystem::path> Run::download_files(const std::string& prefix,
                                                                        const std::filesystem::path& folder,
                                                                        const Progress& progress) const {
  std::vector<std::filesystem::path> written;
  for (const std::string& name : file_names(prefix)) {
    written.push_back(safe_join(folder, name));
    backend_->download_artifact(id_, name, written.back(), progress);
  }
  return written;
}

DNN_CLOUD_INLINE Model Run::register_model(const std::string& name, const std::string& path,
                                           const RegisterOptions& options) const {
  return Model(
      backend_,
      backend_->register_model(
          {.name = name, .run_id = id_, .path = path, .description = options.description, .tags = options.tags}));
}

// Metrics, params, tags -----------------------------------------------------------------------------------------------

DNN_CLOUD_INLINE void Run::log(const std::string& name, double value, std::optional<std::int64_t> step) const {
  writer_->log(name, value, step);
}
DNN_CLOUD_INLINE void Run::log_batch(Batch batch) const { writer_->add(std::move(batch)); }
DNN_CLOUD_INLINE void Run::log_param(const std::string& name, std::string value) const {
  writer_->add({.params = {{name, std::move(value)}}});
}
DNN_CLOUD_INLINE void Run::log_param(const std::string& name, double value) const {
  log_param(name, number_text(value));
}
DNN_CLOUD_INLINE void Run::set_tag(const std::string& name, std::string value) const {
  writer_->add({.tags = {{name, std::move(value)}}});
}
DNN_CLOUD_INLINE bool Run::flush(std::chrono::milliseconds timeout) const { return writer_->flush(timeout); }

DNN_CLOUD_INLINE std::vector<Metric> Run::metrics(const std::string& key) const {
  flush();
  return backend_->metrics(id_, key);
}
DNN_CLOUD_INLINE std::vector<Param> Run::params() const {
  flush();
  return backend_->params(id_);
}
DNN_CLOUD_INLINE std::map<std::string, std::string> Run::tags() const {
  flush();
  return info().tags;
}

DNN_CLOUD_INLINE void Run::end(Phase phase, const std::string& error) const {
  flush();
  backend_->end_run(id_, phase, error);
}

// Following -----------------------------------------------------------------------------------------------------------

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

DNN_CLOUD_INLINE RunInfo Run::wait_for_completion(const WaitOptions& options) const {
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
