/// Models of dnn in the registry: the one header that knows both halves. Needs libzip, as dnn/serializers does.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "cloud/core/error.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/model.hpp"
#include "cloud/run.hpp"
#include "cloud/workspace.hpp"
#include "dnn/serializers/npz.hpp"

namespace cloud {

namespace detail {

// A folder for a moment.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / ("cloud-" + random_hex(16))) {
    std::filesystem::create_directory(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace detail

/// Saves `link` (a link, an optimizer, whatever npz takes) as Chainer's npz, adds it to the run's files as
/// `outputs/NAME.npz`, and registers it as the next version of `name`.
inline Model register_model(const Run& run, const std::string& name, dnn::SerializableRef link,
                            const RegisterOptions& options = {}) {
  const detail::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "model.npz";
  dnn::serializers::save_npz(file, link);
  run.upload_file("outputs/" + name + ".npz", file);
  return run.register_model(name, "outputs/" + name + ".npz", options);
}

/// Fetches version `version` of the model (0: the latest) and loads it into `link`. Returns what was loaded. Throws
/// NotFoundError; FileError when the model is not one npz file.
inline Model load_model(const Workspace& workspace, const std::string& name, int version, dnn::SerializableRef link) {
  const detail::TemporaryFolder folder;
  Model model = workspace.model(name, version);
  const std::vector<std::filesystem::path> files = model.download(folder.path());
  if (files.size() != 1 || files[0].extension() != ".npz") {
    throw FileError("load model " + name + " version " + std::to_string(model.version()), "it is not one npz file");
  }
  dnn::serializers::load_npz(files[0], link);
  return model;
}

}  // namespace cloud
