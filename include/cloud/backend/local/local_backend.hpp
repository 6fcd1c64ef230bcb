/// A workspace in a folder of this machine: no account, no server. Any number of programs use it at once.
#pragma once

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/backend/local/file_lock.hpp"
#include "cloud/backend/local/folders.hpp"
#include "cloud/backend/local/history.hpp"
#include "cloud/backend/local/job.hpp"
#include "cloud/backend/local/store.hpp"
#include "cloud/backend/local/supervisor.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/text.hpp"
#include "cloud/storage/git.hpp"
#include "cloud/storage/snapshot.hpp"

namespace cloud::local {

/// Runs are real: a snapshot of the source directory is built with CMake (once for the same content) and its program is
/// started in a working directory, process group and environment of its own, led by a supervisor process that needs
/// nobody (supervisor.hpp). The program finds its run through CLOUD_WORKSPACE and CLOUD_RUN_ID; it gets PATH, HOME,
/// locale, proxy, compiler, CMAKE_*, OMP_* and DNN_* variables of the submitting program, and no others. `./outputs`
/// and `./logs` become artifacts at the end, and can be listed and read before.
///
/// Whoever opens the workspace, or looks at a run, sets runs going again whose supervisor is gone.
class LocalBackend final : public LocalHistory {
 public:
  /// Opens the workspace in `folder`, which is made when it is not there.
  explicit LocalBackend(const fs::path& folder) : LocalHistory(folder) {
    for (const std::string& id : store_.unfinished_runs()) recover(id);
  }

  // Compute ---------------------------------------------------------------------------------------------------------

  std::optional<ComputeStatus> find_compute(const std::string& name) override {
    const auto computes = store_.computes();
    const auto found = computes.find(name);
    if (found == computes.end()) return std::nullopt;
    return status(name, found->second);
  }

  ComputeStatus create_compute(const std::string& name, const ComputeSpec& spec) override {
    check_name("create compute", name);
    if (spec.max_nodes < 1 || spec.min_nodes < 0 || spec.min_nodes > spec.max_nodes) {
      throw ConfigError("create compute " + name, "0 <= min_nodes <= max_nodes and 1 <= max_nodes does not hold: " +
                                                      std::to_string(spec.min_nodes) + ", " +
                                                      std::to_string(spec.max_nodes));
    }
    store_.put_compute(name, spec);
    return status(name, spec);
  }

  std::vector<ComputeStatus> list_computes() override {
    std::vector<ComputeStatus> result;
    for (const auto& [name, spec] : store_.computes()) result.push_back(status(name, spec));
    return result;
  }

  // Runs ------------------------------------------------------------------------------------------------------------

  RunInfo submit(const JobSpec& spec, const SubmitOptions& options) override {
    const std::string tried = "submit " + spec.entry;
    check_name(tried + ": experiment", spec.experiment);
    if (spec.entry.empty() || !is_safe_name(spec.entry)) {
      throw ConfigError(tried,
                        "entry must name a CMake target or a file of the source directory: '" + spec.entry + "'");
    }
    if (spec.node_count != 1 || spec.processes_per_node != 1) {
      throw UnsupportedError(tried, "a local run has one node and one process");
    }
    if (!spec.compute.empty() && !find_compute(spec.compute)) {
      throw NotFoundError(tried, "there is no compute '" + spec.compute + "' in this workspace");
    }
    RunInfo run = new_run(spec.experiment, spec.display_name);
    run.compute = spec.compute;
    run.tags = spec.tags;
    const FileLock owner = make_run(run.id);
    store_.add_run(run, RunKind::submitting);
    try {
      Job job{.spec = spec,
              .snapshot = take_snapshot(spec.source_directory, options),
              .environment = inherited_environment()};
      for (const auto& [name, value] : spec.environment_variables) job.environment[name] = value;
      save_job(folders_.job(run.id), job);
      store_.set_property(run.id, "snapshot", job.snapshot);
      for (const auto& [name, value] : storage::git_facts(spec.source_directory)) {
        store_.set_property(run.id, name, value);
      }
      store_.set_submitted(run.id);
    } catch (const std::exception& error) {
      store_.finish(run.id, Phase::failed, std::nullopt, error.what());
      throw;
    }
    Supervisor::start(folders_.root, run.id);
    return read(run.id).info;
  }

  RunInfo get_run(const std::string& id) override {
    recover(id);
    return LocalHistory::get_run(id);
  }

  std::chrono::milliseconds poll_interval(std::chrono::milliseconds watched) const override {
    return std::clamp<std::chrono::milliseconds>(watched / 20, std::chrono::milliseconds(50),
                                                 std::chrono::milliseconds(500));
  }

  void cancel_run(const std::string& id) override {
    const RunRow row = read(id);
    if (row.info.ended != 0) return;
    if (row.kind == RunKind::interactive) {
      throw UnsupportedError("cancel run " + id, "it was not submitted: end the program that is the run");
    }
    store_.request_cancel(id);
    recover(id);
  }

  RunPage list_runs(const RunQuery& query) override {
    for (const std::string& id : store_.unfinished_runs()) recover(id);
    return LocalHistory::list_runs(query);
  }

  /// Removes what is only kept to save time, and has not been used for so long: builds, snapshots, and the working
  /// directories that failed runs have left. History, files and models stay. Returns the number of bytes.
  std::uint64_t prune(std::chrono::hours unused_for) {
    const auto limit = fs::file_time_type::clock::now() - unused_for;
    std::set<std::string> needed;
    for (const std::string& id : store_.unfinished_runs()) {
      const RunInfo run = read(id).info;
      const auto snapshot = run.properties.find("snapshot");
      if (snapshot != run.properties.end()) needed.insert(snapshot->second);
    }
    std::uint64_t bytes = 0;
    std::error_code failed;
    const auto remove_if_old = [&](const fs::path& folder) {
      if (fs::last_write_time(folder, failed) > limit || failed) return;
      for (const auto& entry : fs::recursive_directory_iterator(folder, failed)) {
        if (entry.is_regular_file(failed)) bytes += entry.file_size(failed);
      }
      fs::remove_all(folder, failed);
    };
    for (const auto& entry : fs::directory_iterator(folders_.builds(), failed)) {
      const auto unused = FileLock::try_lock(entry.path() / "lock");
      if (unused) remove_if_old(entry.path());
    }
    for (const auto& entry : fs::directory_iterator(folders_.snapshots(), failed)) {
      if (!needed.contains(entry.path().filename().string())) remove_if_old(entry.path());
    }
    for (const auto& entry : fs::directory_iterator(folders_.root / "runs", failed)) {
      const std::string id = entry.path().filename().string();
      const auto run = store_.find_run(id);
      if (run && run->info.ended != 0 && fs::exists(folders_.work(id))) remove_if_old(folders_.work(id));
    }
    return bytes;
  }

 private:
  ComputeStatus status(const std::string& name, const ComputeSpec& spec) const {
    int busy = 0;
    for (int i = 0; i < spec.max_nodes; ++i) {
      busy += FileLock::held(folders_.compute(name) / ("slot-" + std::to_string(i))) ? 1 : 0;
    }
    ComputeStatus result{.name = name, .spec = spec, .provisioning_state = "Succeeded", .allocation_state = "Steady"};
    result.current_nodes = result.target_nodes = spec.max_nodes;
    result.node_states = {{"idle", spec.max_nodes - busy}, {"running", busy}};
    result.ready = true;
    return result;
  }

  // Sees to a run that nobody leads: ends it when its maker died too early, else starts a supervisor.
  void recover(const std::string& id) {
    const RunRow row = read(id);
    if (row.info.ended != 0) return;
    if (row.kind != RunKind::submitted) {
      if (FileLock::held(folders_.owner_lock(id))) return;
      if (store_.find_run(id)->kind == RunKind::submitting) {
        store_.finish(id, Phase::failed, std::nullopt,
                      "the process that submitted it was gone before its snapshot was complete");
      } else if (row.kind == RunKind::interactive) {
        store_.finish(id, Phase::failed, std::nullopt, "the program ended without ending the run");
      }
      return;
    }
    if (FileLock::held(folders_.supervisor_lock(id))) return;
    {
      // One that was started just now may not have its lock yet.
      const std::scoped_lock lock(mutex_);
      Milliseconds& last = supervisor_started_[id];
      if (now_ms() - last < 2000) return;
      last = now_ms();
    }
    Supervisor::start(folders_.root, id);
  }

  // Copies the source directory to snapshots/HASH, unless it is there, and returns the hash.
  std::string take_snapshot(const fs::path& source, const SubmitOptions& options) {
    std::vector<storage::SnapshotFile> files = storage::list_snapshot(source);
    remove_abandoned_snapshots();
    const fs::path copy = temporary_beside(folders_.snapshots() / "new");
    fs::remove_all(copy);
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    for (const storage::SnapshotFile& file : files) total += file.size;
    for (storage::SnapshotFile& file : files) {
      options.cancel.check("take a snapshot of " + source.string());
      const fs::path to = copy / file.name;
      fs::create_directories(to.parent_path());
      std::error_code failed;
      fs::copy_file(file.path, to, failed);
      if (failed) throw FileError("take a snapshot of " + source.string(), file.name + ": " + failed.message());
      file.path = to;  // the hash is of what was copied, should the source change meanwhile
      file.size = fs::file_size(to);
      done += file.size;
      if (options.progress) options.progress("snapshot", done, total);
    }
    const std::string hash = storage::snapshot_hash(files);
    std::error_code failed;
    fs::rename(copy, folders_.snapshots() / hash, failed);
    if (failed) {  // it is there already; now it is used again (see prune)
      fs::remove_all(copy);
      fs::last_write_time(folders_.snapshots() / hash, fs::file_time_type::clock::now(), failed);
      if (failed) throw FileError("take a snapshot of " + source.string(), failed.message());
    }
    return hash;
  }

  // Copies that were begun by processes that are no more: snapshots/new.PID-N.tmp
  void remove_abandoned_snapshots() const {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folders_.snapshots(), failed)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("new.")) continue;
      const auto pid = parse_number<pid_t>(std::string_view(name).substr(4, name.find('-') - 4));
      if (pid && ::kill(*pid, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), failed);
    }
  }

  std::mutex mutex_;
  std::map<std::string, Milliseconds> supervisor_started_;
};

}  // namespace cloud::local
