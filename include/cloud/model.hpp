/// The model registry: named files with versions.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/json/json.hpp"
#include "cloud/workspace.hpp"

namespace cloud {

/// One version of a registered model.
///
///     auto model = cloud::Model::get(ws, "chainer-dnn-mnist");      // the latest
///     model.download("./model");
class Model {
 public:
  Model(std::shared_ptr<Backend> backend, ModelInfo info) : backend_(std::move(backend)), info_(std::move(info)) {}

  /// The latest version, or version `version`; throws NotFoundError.
  static Model get(const Workspace& workspace, const std::string& name, int version = 0) {
    return Model(workspace.shared_backend(), workspace.backend().get_model(name, version));
  }
  /// Registers a file or folder of this machine as the next version. (From a run: Run::register_model.)
  static Model register_file(const Workspace& workspace, const std::string& name, const std::filesystem::path& path,
                             const std::string& description = {}, const std::map<std::string, std::string>& tags = {}) {
    return Model(workspace.shared_backend(),
                 workspace.backend().register_model(
                     {.name = name, .path = path.string(), .description = description, .tags = tags}));
  }
  /// The latest version of every model, or all versions of one, newest first.
  static std::vector<Model> list(const Workspace& workspace, const std::string& name = {}) {
    std::vector<Model> models;
    for (ModelInfo& info : workspace.backend().list_models(name))
      models.emplace_back(workspace.shared_backend(), std::move(info));
    return models;
  }

  const ModelInfo& info() const { return info_; }
  const std::string& name() const { return info_.name; }
  int version() const { return info_.version; }

  /// Writes the model's file, or its folder, into `folder`, checked against the registered digest; returns the paths.
  std::vector<std::filesystem::path> download(const std::filesystem::path& folder = ".",
                                              const Progress& progress = {}) const {
    return backend_->download_model(info_, folder, progress);
  }

 private:
  std::shared_ptr<Backend> backend_;
  ModelInfo info_;
};

inline Json to_json(const ModelInfo& model) {
  Json value{{"name", model.name}, {"version", model.version},         {"runId", model.run_id},
             {"path", model.path}, {"description", model.description}, {"tags", json::object(model.tags)}};
  if (model.created != 0) value["created"] = rfc3339(model.created);
  if (!model.sha256.empty()) value["sha256"] = model.sha256;
  if (model.size) value["size"] = *model.size;
  return value;
}

}  // namespace cloud
