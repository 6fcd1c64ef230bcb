/// The place where experiments, computes, runs and models live.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/azure/azure_backend.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/backend/config.hpp"
#include "cloud/backend/local/local_backend.hpp"
#include "cloud/model.hpp"
#include "cloud/run.hpp"

namespace cloud {

/// A handle; copies are the same workspace.
///
///     auto ws = cloud::Workspace::from_config();      // config.json as Azure's SDK finds it; none: the local
///     workspace auto ws = cloud::Workspace::local("./runs");    // a folder of this machine
class Workspace {
 public:
  explicit Workspace(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  /// With no path: the config.json that Azure's SDK would find from the current folder (backend/config.hpp), or, if
  /// there is none, the local workspace. With a path to a file or folder, that must lead to a config.json: ConfigError
  /// says where it was looked for.
  static Workspace from_config(const std::filesystem::path& path = {}, const std::string& file_name = {}) {
    std::vector<std::string> searched;
    const auto file = find_config(path, file_name, &searched);
    if (file) return connect(read_config(*file));
    if (path.empty()) return local();
    std::string where;
    for (const std::string& folder : searched) {
      if (where.find(folder + ",") == std::string::npos) where += folder + ", ";
    }
    throw ConfigError("find config.json", "there is none in " + where + "nor in the folders above");
  }

  /// Azure Machine Learning.
  static Workspace connect(const WorkspaceConfig& config) { return Workspace(azure::connect(config)); }

  /// A folder of this machine, made when it is not there; empty: the default one (backend/local/folders.hpp).
  static Workspace local(const std::filesystem::path& folder = {}) {
    return Workspace(std::make_shared<local::LocalBackend>(folder.empty() ? local::default_workspace() : folder));
  }

  WorkspaceInfo info() const { return backend_->workspace(); }
  std::string name() const { return info().name; }
  bool is_local() const { return info().backend == "local"; }
  std::vector<std::string> experiments() const { return backend_->list_experiments(); }

  /// An existing run; throws NotFoundError.
  Run run(const std::string& id) const { return Run(backend_, backend_->get_run(id).id); }

  /// A registered model: the latest version, or version `version`. Throws NotFoundError.
  Model model(const std::string& name, int version = 0) const {
    return Model(backend_, backend_->get_model(name, version));
  }
  /// The latest version of every model, or all versions of one, newest first.
  std::vector<Model> models(const std::string& name = {}) const {
    std::vector<Model> result;
    for (ModelInfo& info : backend_->list_models(name)) result.emplace_back(backend_, std::move(info));
    return result;
  }
  /// Registers a file or folder of this machine as the next version of `name`. (A run's file: Run::register_model.)
  Model register_model(const std::string& name, const std::filesystem::path& path,
                       const RegisterOptions& options = {}) const {
    return Model(backend_,
                 backend_->register_model(
                     {.name = name, .path = path.string(), .description = options.description, .tags = options.tags}));
  }

  Backend& backend() const { return *backend_; }
  const std::shared_ptr<Backend>& shared_backend() const { return backend_; }

 private:
  std::shared_ptr<Backend> backend_;
};

}  // namespace cloud
