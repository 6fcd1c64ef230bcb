/// Where a local workspace keeps what.
///
///     history.db                        runs, metrics, params, tags, computes, models (store.hpp)
///     snapshots/HASH/                   source directories, by content; never changed
///     builds/KEY/                       CMake builds, by content and options: build/, lock, built
///     runs/ID/job.json                  what to run (0600)
///     runs/ID/work/                     the program's working directory: a copy of the snapshot
///     runs/ID/artifacts/                outputs/, logs/, user_logs/std_log.txt, system_logs/build.log
///     runs/ID/control/                  locks and notes between the run's processes (supervisor.hpp)
///     computes/NAME/slot-N              locks: one for each run that runs
///     models/ID/                        registered files
#pragma once

#include <filesystem>
#include <string>

#include "cloud/core/env.hpp"
#include "cloud/core/error.hpp"

namespace cloud::local {

inline constexpr const char* kStdLog = "user_logs/std_log.txt";
inline constexpr const char* kBuildLog = "system_logs/build.log";

/// The workspace that is meant when none is named: `$CLOUD_WORKSPACE`, else `dnn/workspace` in `$XDG_DATA_HOME` or in
/// `~/.local/share`.
inline std::filesystem::path default_workspace() {
  if (const auto folder = env("CLOUD_WORKSPACE")) return *folder;
  if (const auto data = env("XDG_DATA_HOME")) return std::filesystem::path(*data) / "dnn" / "workspace";
  if (const auto home = env("HOME")) return std::filesystem::path(*home) / ".local" / "share" / "dnn" / "workspace";
  throw ConfigError("find the local workspace", "set CLOUD_WORKSPACE, XDG_DATA_HOME or HOME, or name a folder");
}

struct Folders {
  std::filesystem::path root;

  std::filesystem::path history() const { return root / "history.db"; }
  std::filesystem::path snapshots() const { return root / "snapshots"; }
  std::filesystem::path builds() const { return root / "builds"; }
  std::filesystem::path models() const { return root / "models"; }
  std::filesystem::path compute(const std::string& name) const { return root / "computes" / name; }
  std::filesystem::path run(const std::string& id) const { return root / "runs" / id; }
  std::filesystem::path job(const std::string& id) const { return run(id) / "job.json"; }
  std::filesystem::path work(const std::string& id) const { return run(id) / "work"; }
  std::filesystem::path artifacts(const std::string& id) const { return run(id) / "artifacts"; }
  std::filesystem::path control(const std::string& id) const { return run(id) / "control"; }
  std::filesystem::path supervisor_lock(const std::string& id) const { return control(id) / "supervisor.lock"; }
  /// Held by the process that submits or, for an interactive run, is the run.
  std::filesystem::path owner_lock(const std::string& id) const { return control(id) / "owner.lock"; }
};

}  // namespace cloud::local
