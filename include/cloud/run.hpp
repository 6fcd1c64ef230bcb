/// One run: following it, its files and metrics, and, inside the program that is the run, logging:
///
///     auto run = cloud::Run::get_context();
///     run.log_param("batch size", 128);
///     run.log("Accuracy", accuracy);
///     run.complete();
///
/// What stands behind it - HTTP, JSON, SQLite, the ways to sign in - takes ten seconds to compile. A program that is
/// compiled again and again can have that done once: with CMake, link dnn::cloud_run; otherwise define
/// DNN_CLOUD_SEPARATE everywhere and compile `#include <cloud/run_definitions.hpp>` as a source file of its own.
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
#include "cloud/core/cancel.hpp"
#include "cloud/core/output.hpp"
#include "cloud/model.hpp"
#include "cloud/tracking/batch.hpp"

namespace cloud {

namespace tracking {
class Writer;
struct WriterOptions;
}  // namespace tracking

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
  Run(std::shared_ptr<Backend> backend, std::string id);
  Run(std::shared_ptr<Backend> backend, std::string id, const tracking::WriterOptions& logging);

  /// The run that this program is, as its environment says (backend/context.hpp): of a local workspace, of Azure, of an
  /// MLflow server, or offline, where what is logged is printed to stderr. The same run at every call. Throws
  /// ConfigError when the environment contradicts itself, and what connecting throws.
  static Run get_context();

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

  std::vector<std::string> file_names(const std::string& prefix = {}) const;
  std::vector<Artifact> files(const std::string& prefix = {}) const { return backend_->list_artifacts(id_, prefix); }

  /// Writes the file to `to`; into it under the file's own name when `to` is a folder or ends with `/`. Returns the
  /// path.
  std::filesystem::path download_file(const std::string& name, const std::filesystem::path& to = "./",
                                      const Progress& progress = {}) const;
  /// All files whose name starts with `prefix`, with their folders, into `folder`.
  std::vector<std::filesystem::path> download_files(const std::string& prefix, const std::filesystem::path& folder,
                                                    const Progress& progress = {}) const;
  void upload_file(const std::string& name, const std::filesystem::path& from, const Progress& progress = {}) const {
    backend_->upload_artifact(id_, name, from, progress);
  }

  /// Registers a file or folder of this run, for example "outputs/model.npz", as the next version of `name`.
  Model register_model(const std::string& name, const std::string& path, const RegisterOptions& options = {}) const;

  // Metrics, params, tags -------------------------------------------------------------------------------------------

  /// Adds a point to the series `name`, without waiting for anybody (tracking/writer.hpp). Without a step: the one
  /// after the last, from 0 on. Throws ConfigError for a name that MLflow does not take.
  void log(const std::string& name, double value, std::optional<std::int64_t> step = std::nullopt) const;
  /// Many at once. A metric's timestamp 0 is now.
  void log_batch(Batch batch) const;
  /// Set once; another value later is refused, which is reported on stderr.
  void log_param(const std::string& name, std::string value) const;
  void log_param(const std::string& name, double value) const;
  void set_tag(const std::string& name, std::string value) const;

  /// Sends what was logged and waits until it is stored. False: it could not be; it will be tried again.
  bool flush(std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;

  /// Sends what was logged and ends a run that this program has started itself. One that was submitted is ended by the
  /// program's exit code.
  void complete() const { end(Phase::completed, ""); }
  void fail(const std::string& error = {}) const { end(Phase::failed, error); }

  /// Every point of one series, or of all; params; tags. What was logged through this handle is sent first.
  std::vector<Metric> metrics(const std::string& key = {}) const;
  std::vector<Param> params() const;
  std::map<std::string, std::string> tags() const;

 private:
  void end(Phase phase, const std::string& error) const;

  std::shared_ptr<Backend> backend_;
  std::string id_;
  std::shared_ptr<tracking::Writer> writer_;
};

}  // namespace cloud

#ifndef DNN_CLOUD_SEPARATE
#include "cloud/run_definitions.hpp"
#endif
