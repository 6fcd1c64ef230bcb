/// The interface between the nouns a user speaks (workspace.hpp, run.hpp, …) and the places where runs live:
/// backend/local (this machine), backend/azure (Azure Machine Learning), an MLflow server, or nowhere (offline).
///
/// Everything is a value; nothing here prints. A backend is used from several threads at once. Calls block, throw
/// cloud::Error, and repeat by themselves what is safe to repeat. What a kind of backend does not have throws
/// UnsupportedError: that is the default of every member, so an MLflow server overrides only tracking and models.
///
/// Names and ids that come from a service are checked here or below: paths of artifacts that could leave a folder are
/// refused by `download_artifact`, not by its callers.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/core/cancel.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/tracking/batch.hpp"

namespace cloud {

/// Where a run is. The article's four phases, then the three ways to end.
enum class Phase { preparing, scaling, running, post_processing, completed, failed, canceled };

inline bool is_terminal(Phase phase) { return phase >= Phase::completed; }

/// The word shown to people; `phase_from` reads it back.
inline const char* phase_name(Phase phase) {
  constexpr const char* kNames[] = {"Preparing", "Scaling", "Running", "Post-processing",
                                    "Completed", "Failed",  "Canceled"};
  return kNames[static_cast<int>(phase)];
}

inline Phase phase_from(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Phase::canceled); ++i) {
    if (name == phase_name(static_cast<Phase>(i))) return static_cast<Phase>(i);
  }
  throw Error("read a phase", "'" + std::string(name) + "' is none");
}

struct WorkspaceInfo {
  std::string backend{};  // "local", "azure", "mlflow", "offline"
  std::string name{};
  std::string location{};  // Azure region; the folder of a local workspace; a server's address
  std::string subscription_id{};
  std::string resource_group{};
  std::string id{};  // the whole resource id, or empty
};

/// A cluster to create. On this machine `max_nodes` is the number of runs that may run at once.
struct ComputeSpec {
  std::string vm_size{};
  int min_nodes = 0;
  int max_nodes = 1;
  bool low_priority = false;
  std::chrono::seconds idle_before_scale_down{120};
  std::string description{};
};

struct ComputeStatus {
  std::string name{};
  ComputeSpec spec{};
  std::string provisioning_state{};  // Succeeded, Failed, Creating, …; unknown words are passed on
  std::string allocation_state{};    // Steady, Resizing, …
  int current_nodes = 0;
  int target_nodes = 0;
  std::map<std::string, int> node_states{};  // idle, running, preparing, unusable, leaving, preempted
  std::vector<std::string> errors{};
  bool ready = false;   // jobs can be submitted and min_nodes are there
  bool failed = false;  // it will not become ready
};

/// A job, as the Estimator describes it.
struct JobSpec {
  std::string experiment{};
  std::string display_name{};
  std::filesystem::path source_directory{};
  /// With a CMakeLists.txt in the source directory: the executable target to build and start. Without: a file of the
  /// source directory that can be executed (a program or a script with #!).
  std::string entry{};
  std::vector<std::string> arguments{};  // one element is one argument; nobody's shell ever splits them
  std::map<std::string, std::string> environment_variables{};
  std::string compute{};
  std::vector<std::string> cmake_options{};  // e.g. -DDNN_BUILD_TESTS=OFF
  std::vector<std::string> packages{};  // Debian packages for the image; on this machine they must be there already
  std::string image{};                  // a ready image instead of the default Dockerfile
  std::filesystem::path dockerfile{};   // relative to source_directory; instead of the default Dockerfile
  bool use_gpu = false;
  int node_count = 1;
  int processes_per_node = 1;
  std::chrono::seconds timeout{0};        // 0: none
  std::chrono::milliseconds grace{5000};  // on this machine: from SIGTERM to SIGKILL, when canceled or timed out
  std::map<std::string, std::string> tags{};
};

/// Progress of an upload or download: bytes done, bytes in all (0: not known).
using Progress = std::function<void(const std::string& what, std::uint64_t done, std::uint64_t total)>;

struct SubmitOptions {
  Progress progress{};
  CancelToken cancel{};
};

/// A run, as it is now.
struct RunInfo {
  std::string id{};
  std::string experiment{};
  std::string display_name{};
  Phase phase = Phase::preparing;
  std::string status{};  // the backend's own word, for example NotResponding; equals the phase's name on this machine
  std::string compute{};
  Milliseconds created = 0;
  Milliseconds started = 0;  // 0: not yet
  Milliseconds ended = 0;    // 0: not yet
  std::optional<int> exit_code{};
  std::string error{};  // why it failed
  std::vector<std::string> warnings{};
  std::string web_url{};  // Azure's Studio, or empty
  std::map<std::string, std::string> tags{};
  std::map<std::string, std::string> properties{};
  /// Logs that exist now, in the order in which they should be shown. Names are artifact names (user_logs/std_log.txt).
  std::vector<std::string> log_files{};
};

/// Selects runs, newest first. `max_results` is a page; ask again with the token for the next.
struct RunQuery {
  std::string experiment{};  // empty: all
  std::optional<Phase> phase{};
  int max_results = 50;
  std::string page_token{};
};
struct RunPage {
  std::vector<RunInfo> runs{};
  std::string next_page_token{};  // empty: that was all
};

struct Artifact {
  std::string path{};                   // relative, with /
  std::optional<std::uint64_t> size{};  // not every service tells
};

struct ModelInfo {
  std::string name{};
  int version = 0;
  std::string run_id{};  // empty: registered from a file
  std::string path{};    // where it came from: an artifact's path, or a file name
  std::string description{};
  std::map<std::string, std::string> tags{};
  Milliseconds created = 0;
  std::string sha256{};  // of a single file; empty when not known
  std::optional<std::uint64_t> size{};
};

/// What to register: `path` of `run_id`'s artifacts, or with no run a file of this machine. A folder is taken whole.
struct ModelSpec {
  std::string name{};
  std::string run_id{};
  std::string path{};
  std::string description{};
  std::map<std::string, std::string> tags{};
};

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  virtual WorkspaceInfo workspace() = 0;

  // Compute ---------------------------------------------------------------------------------------------------------

  /// Nothing when there is no compute of that name.
  virtual std::optional<ComputeStatus> find_compute(const std::string& /*name*/) { unsupported("get a compute"); }
  /// Starts to create (or change) it and returns at once; watch find_compute.
  virtual ComputeStatus create_compute(const std::string& /*name*/, const ComputeSpec&) {
    unsupported("create a compute");
  }
  virtual std::vector<ComputeStatus> list_computes() { unsupported("list computes"); }

  // Runs ------------------------------------------------------------------------------------------------------------

  /// Takes a snapshot of the source directory and starts the run. Returns once the run exists and no longer needs the
  /// source directory nor this process.
  virtual RunInfo submit(const JobSpec&, const SubmitOptions&) { unsupported("submit a run"); }
  /// Throws NotFoundError.
  virtual RunInfo get_run(const std::string& /*id*/) { unsupported("get a run"); }
  /// How long to wait before the next get_run of a run that has been watched for `watched`.
  virtual std::chrono::milliseconds poll_interval(std::chrono::milliseconds watched) const {
    return std::min<std::chrono::milliseconds>(std::chrono::seconds(1) + watched / 10, std::chrono::seconds(10));
  }
  /// Asks the run to end; it ends as Canceled a little later. A run that has ended already stays as it is.
  virtual void cancel_run(const std::string& /*id*/) { unsupported("cancel a run"); }
  virtual RunPage list_runs(const RunQuery&) { unsupported("list runs"); }
  virtual std::vector<std::string> list_experiments() { unsupported("list experiments"); }

  /// Bytes of a log from `offset` on, at most `max_bytes`; empty when there are no more now. Never asks for what lies
  /// before `offset`. A log that does not exist (yet) is empty.
  virtual std::string read_log(const std::string& /*run_id*/, const std::string& /*file*/, std::uint64_t /*offset*/,
                               std::size_t /*max_bytes*/) {
    unsupported("read a log");
  }

  // Artifacts -------------------------------------------------------------------------------------------------------

  /// Sorted by path; only those that start with `prefix`.
  virtual std::vector<Artifact> list_artifacts(const std::string& /*run_id*/, const std::string& /*prefix*/) {
    unsupported("list artifacts");
  }
  /// Writes the artifact to `to` (folders above are made): beside and renamed, checked as far as the service allows.
  virtual void download_artifact(const std::string& /*run_id*/, const std::string& /*path*/,
                                 const std::filesystem::path& /*to*/, const Progress&) {
    unsupported("download an artifact");
  }
  virtual void upload_artifact(const std::string& /*run_id*/, const std::string& /*path*/,
                               const std::filesystem::path& /*from*/, const Progress&) {
    unsupported("upload an artifact");
  }

  // Tracking --------------------------------------------------------------------------------------------------------

  /// Stores all of it. May be called with more than a service's limits: cutting into pieces is done below.
  virtual void log_batch(const std::string& /*run_id*/, const Batch&) { unsupported("log metrics"); }
  /// Every point, in the order in which it was logged; only this key, or all keys when it is empty.
  virtual std::vector<Metric> metrics(const std::string& /*run_id*/, const std::string& /*key*/) {
    unsupported("read metrics");
  }
  virtual std::vector<Param> params(const std::string& /*run_id*/) { unsupported("read params"); }
  /// A run of a program that nobody submitted (`Run::get_context()` against a tracking server,
  /// `Experiment::start_logging`).
  virtual RunInfo start_run(const std::string& /*experiment*/, const std::string& /*display_name*/) {
    unsupported("start a run");
  }
  /// Ends a run made by start_run. A submitted run is ended by its exit code, never by this.
  virtual void end_run(const std::string& /*run_id*/, Phase, const std::string& /*error*/) { unsupported("end a run"); }

  // Models ----------------------------------------------------------------------------------------------------------

  /// Registers the next version (1, 2, …) of `name`.
  virtual ModelInfo register_model(const ModelSpec&) { unsupported("register a model"); }
  /// The newest version of every model, or every version of `name`, newest first.
  virtual std::vector<ModelInfo> list_models(const std::string& /*name*/) { unsupported("list models"); }
  /// `version` 0 is the newest one. Throws NotFoundError.
  virtual ModelInfo get_model(const std::string& /*name*/, int /*version*/) { unsupported("get a model"); }
  /// Writes the model's file (or its folder's files) into `folder`, checked against sha256 where it is known; returns
  /// the paths written.
  virtual std::vector<std::filesystem::path> download_model(const ModelInfo&, const std::filesystem::path& /*folder*/,
                                                            const Progress&) {
    unsupported("download a model");
  }

 protected:
  [[noreturn]] void unsupported(const char* what) {
    const WorkspaceInfo info = workspace();
    throw UnsupportedError(what, "a workspace of kind '" + info.backend + "' has no such thing");
  }
};

}  // namespace cloud
