/// Reading and writing what a local workspace knows: runs, metrics, files and models.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/backend/local/file_lock.hpp"
#include "cloud/backend/local/folders.hpp"
#include "cloud/backend/local/store.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/sha256.hpp"

namespace cloud::local {

/// A local workspace without the means to start runs (LocalBackend has those): all that a program needs that is a run.
class LocalHistory : public Backend {
 public:
  /// Opens the workspace in `folder`, which is made when it is not there.
  explicit LocalHistory(const fs::path& folder) : folders_{make(folder)}, store_(folders_.history()) {}

  WorkspaceInfo workspace() override {
    return {.backend = "local", .name = folders_.root.filename().string(), .location = folders_.root.string()};
  }

  // Runs ------------------------------------------------------------------------------------------------------------

  RunInfo get_run(const std::string& id) override {
    RunInfo run = read(id).info;
    for (const char* log : {kBuildLog, kStdLog}) {
      if (fs::exists(folders_.artifacts(id) / log)) run.log_files.emplace_back(log);
    }
    return run;
  }

  RunPage list_runs(const RunQuery& query) override { return store_.list_runs(query); }
  std::vector<std::string> list_experiments() override { return store_.list_experiments(); }

  std::string read_log(const std::string& run_id, const std::string& file, std::uint64_t offset,
                       std::size_t max_bytes) override {
    const fs::path path = artifact_file(run_id, file);
    const int fd = path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    std::string bytes(max_bytes, '\0');
    const ssize_t count = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    ::close(fd);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }

  // Artifacts -------------------------------------------------------------------------------------------------------

  std::vector<Artifact> list_artifacts(const std::string& run_id, const std::string& prefix) override {
    const RunRow row = read(run_id);
    std::map<std::string, std::uint64_t> found;
    if (row.info.ended == 0) {  // what the program has written so far
      for (const char* folder : {"outputs", "logs"})
        list(folders_.work(run_id) / folder, std::string(folder) + "/", found);
    }
    list(folders_.artifacts(run_id), "", found);
    std::vector<Artifact> result;
    for (const auto& [path, size] : found) {
      if (path.starts_with(prefix)) result.push_back({path, size});
    }
    return result;
  }

  void download_artifact(const std::string& run_id, const std::string& path, const fs::path& to,
                         const Progress& progress) override {
    const fs::path from = existing_artifact("download", run_id, path);
    copy_whole_file(from, to);
    report(progress, path, to);
  }

  void upload_artifact(const std::string& run_id, const std::string& path, const fs::path& from,
                       const Progress& progress) override {
    read(run_id);
    const fs::path to = safe_join(folders_.artifacts(run_id), path);
    copy_whole_file(from, to);
    report(progress, path, to);
  }

  // Tracking --------------------------------------------------------------------------------------------------------

  void log_batch(const std::string& run_id, const Batch& batch) override { store_.log_batch(run_id, batch); }
  std::vector<Metric> metrics(const std::string& run_id, const std::string& key) override {
    return store_.metrics(run_id, key);
  }
  std::vector<Param> params(const std::string& run_id) override { return store_.params(run_id); }

  RunInfo start_run(const std::string& experiment, const std::string& display_name) override {
    check_name("start a run: experiment", experiment);
    RunInfo run = new_run(experiment, display_name);
    run.phase = Phase::running;
    run.started = run.created;
    FileLock owner = make_run(run.id);
    store_.add_run(run, RunKind::interactive);
    const std::scoped_lock lock(mutex_);
    owned_.emplace(run.id, std::move(owner));
    return read(run.id).info;
  }

  void end_run(const std::string& run_id, Phase phase, const std::string& error) override {
    if (!is_terminal(phase)) throw ConfigError("end run " + run_id, std::string(phase_name(phase)) + " is no end");
    const RunRow row = read(run_id);
    if (row.kind != RunKind::interactive) return;  // its exit code tells
    store_.finish(run_id, phase, std::nullopt, error);
    const std::scoped_lock lock(mutex_);
    owned_.erase(run_id);
  }

  // Models ----------------------------------------------------------------------------------------------------------

  ModelInfo register_model(const ModelSpec& spec) override {
    const std::string tried = "register model " + spec.name;
    check_name(tried, spec.name);
    StoredModel model;
    model.folder = guid();
    model.info = {.name = spec.name,
                  .run_id = spec.run_id,
                  .path = spec.path,
                  .description = spec.description,
                  .tags = spec.tags,
                  .created = now_ms()};
    std::vector<std::pair<fs::path, std::string>> files;  // from, name below the model's folder
    if (spec.run_id.empty()) {
      const fs::path from = spec.path;
      add_files(from, from.filename().string(), files);
      model.info.path = from.filename().string();
    } else {
      for (const Artifact& artifact : list_artifacts(spec.run_id, spec.path)) {
        if (artifact.path != spec.path && !artifact.path.starts_with(spec.path + "/")) continue;
        const std::size_t parent = spec.path.rfind('/');
        files.emplace_back(artifact_file(spec.run_id, artifact.path),
                           artifact.path.substr(parent == std::string::npos ? 0 : parent + 1));
      }
    }
    if (files.empty()) {
      throw NotFoundError(tried, spec.run_id.empty() ? "there is no file " + spec.path
                                                     : "run " + spec.run_id + " has no artifact " + spec.path);
    }
    const fs::path folder = folders_.models() / model.folder;
    std::uint64_t size = 0;
    for (const auto& [from, name] : files) {
      const fs::path to = safe_join(folder, name);
      copy_whole_file(from, to);
      size += fs::file_size(to);
    }
    model.info.size = size;
    if (files.size() == 1) model.info.sha256 = sha256_file(folder / files[0].second);
    // Only now is there anything to find: who is killed before leaves a folder that nothing names.
    model.info.version = store_.add_model(model);
    return model.info;
  }

  std::vector<ModelInfo> list_models(const std::string& name) override {
    std::vector<ModelInfo> result;
    for (StoredModel& model : store_.models(name)) result.push_back(std::move(model.info));
    return result;
  }

  ModelInfo get_model(const std::string& name, int version) override { return find_model(name, version).info; }

  std::vector<fs::path> download_model(const ModelInfo& wanted, const fs::path& folder,
                                       const Progress& progress) override {
    const StoredModel model = find_model(wanted.name, wanted.version);
    const fs::path from = folders_.models() / model.folder;
    std::map<std::string, std::uint64_t> files;
    list(from, "", files);
    std::vector<fs::path> written;
    for (const auto& [name, size] : files) {
      const fs::path source = from / name;
      if (files.size() == 1 && !model.info.sha256.empty() && sha256_file(source) != model.info.sha256) {
        throw FileError("download model " + wanted.name,
                        source.string() + " is not what was registered: its SHA-256 differs");
      }
      const fs::path to = safe_join(folder, name);
      copy_whole_file(source, to);
      report(progress, name, to);
      written.push_back(to);
    }
    if (written.empty()) throw FileError("download model " + wanted.name, "its files are gone from " + from.string());
    return written;
  }

  /// For tests and doctors: what SQLite says about the history file; "ok" when it is whole.
  std::string integrity() { return store_.integrity(); }

 protected:
  static void check_name(const std::string& tried, const std::string& name) {
    bool good = !name.empty() && name.size() <= 255;
    for (const char c : name) {
      good =
          good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
    }
    // The rule of Azure, so that what works here works there.
    if (!good || name[0] == '-' || name[0] == '_') {
      throw ConfigError(
          tried, "a name has 1 to 255 letters, digits, - and _ and starts with a letter or digit: '" + name + "'");
    }
  }

  RunRow read(const std::string& id) {
    auto row = store_.find_run(id);
    if (!row) throw NotFoundError("get run " + id, "there is no such run in this workspace");
    return *row;
  }

  static RunInfo new_run(const std::string& experiment, const std::string& display_name) {
    RunInfo run;
    run.created = now_ms();
    run.experiment = experiment;
    run.display_name = display_name.empty() ? experiment : display_name;
    run.id = experiment.substr(0, 200) + "_" + std::to_string(run.created / 1000) + "_" + random_hex(8);
    return run;
  }

  // The folders of a run, locked as ours until the lock goes.
  FileLock make_run(const std::string& id) const {
    fs::create_directories(folders_.control(id));
    fs::create_directories(folders_.artifacts(id));
    return std::move(*FileLock::try_lock(folders_.owner_lock(id)));
  }

  Folders folders_;
  Store store_;

 private:
  static fs::path make(const fs::path& folder) {
    std::error_code failed;
    const fs::path root = fs::absolute(folder).lexically_normal();
    if (!fs::exists(root)) {
      fs::create_directories(root, failed);
      if (!failed) fs::permissions(root, fs::perms::owner_all, failed);
    }
    for (const char* name : {"snapshots", "builds", "runs", "computes", "models"}) {
      if (!failed) fs::create_directories(root / name, failed);
    }
    if (failed) throw FileError("open the local workspace " + root.string(), failed.message());
    return fs::canonical(root);
  }

  // Files below `folder` with their sizes, as PREFIX/name; links and half-written files are passed over.
  static void list(const fs::path& folder, const std::string& prefix, std::map<std::string, std::uint64_t>& found) {
    std::error_code failed;
    for (auto entry = fs::recursive_directory_iterator(folder, failed);
         !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
      std::error_code gone;
      if (!fs::is_regular_file(entry->symlink_status(gone)) || entry->path().extension() == ".tmp") continue;
      const std::uint64_t size = entry->file_size(gone);
      if (!gone) found[prefix + entry->path().lexically_relative(folder).generic_string()] = size;
    }
  }

  // The file of an artifact, wherever it is by now; empty when there is none.
  fs::path artifact_file(const std::string& run_id, const std::string& path) const {
    if (!is_safe_name(run_id) || !is_safe_name(path)) return {};
    fs::path file = folders_.artifacts(run_id) / path;
    if (fs::is_regular_file(file)) return file;
    file = folders_.work(run_id) / path;
    const bool collected = path.starts_with("outputs/") || path.starts_with("logs/");
    return collected && fs::is_regular_file(fs::symlink_status(file)) ? file : fs::path();
  }
  fs::path existing_artifact(const std::string& verb, const std::string& run_id, const std::string& path) {
    read(run_id);
    const fs::path file = artifact_file(run_id, path);
    if (file.empty()) throw NotFoundError(verb + " " + path, "run " + run_id + " has no such artifact");
    return file;
  }

  static void add_files(const fs::path& from, const std::string& name,
                        std::vector<std::pair<fs::path, std::string>>& files) {
    if (fs::is_regular_file(from)) files.emplace_back(from, name);
    if (!fs::is_directory(from)) return;
    std::map<std::string, std::uint64_t> found;
    list(from, "", found);
    for (const auto& [below, size] : found) files.emplace_back(from / below, name + "/" + below);
  }

  StoredModel find_model(const std::string& name, int version) {
    for (StoredModel& model : store_.models(name)) {
      if (!name.empty() && (version == 0 || model.info.version == version)) return model;
    }
    throw NotFoundError("get model " + name + (version == 0 ? "" : " version " + std::to_string(version)),
                        "there is no such model in this workspace");
  }

  static void report(const Progress& progress, const std::string& what, const fs::path& file) {
    if (!progress) return;
    const std::uint64_t size = fs::file_size(file);
    progress(what, size, size);
  }

  std::mutex mutex_;
  std::map<std::string, FileLock> owned_;
};

}  // namespace cloud::local
