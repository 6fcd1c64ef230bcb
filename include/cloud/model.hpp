/// The model registry: named files with versions.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"

namespace cloud {

struct RegisterOptions {
  std::string description{};
  std::map<std::string, std::string> tags{};
};

/// One version of a registered model.
///
///     auto model = run.register_model("chainer-dnn-mnist", "outputs/model.npz");
///     auto latest = ws.model("chainer-dnn-mnist");
///     latest.download("./model");
class Model {
 public:
  Model(std::shared_ptr<Backend> backend, ModelInfo info) : backend_(std::move(backend)), info_(std::move(info)) {}

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

}  // namespace cloud
