/// A run that nobody follows: what it logs is printed.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include "cloud/backend/backend.hpp"
#include "cloud/core/text.hpp"

namespace cloud {

/// Lines on stderr, so that stdout holds the program's own:
///
///     metric Accuracy: 0.9712 (step 3)
///     param batch size: 128
///     tag framework: dnn
///     file model.npz: ./outputs/model.npz
class OfflineBackend : public Backend {
 public:
  WorkspaceInfo workspace() override { return {.backend = "offline", .name = "offline"}; }

  RunInfo get_run(const std::string& id) override {
    return {.id = id, .phase = Phase::running, .status = phase_name(Phase::running)};
  }

  void log_batch(const std::string& /*run_id*/, const Batch& batch) override {
    std::string text;
    for (const Param& param : batch.params) text += "param " + param.key + ": " + param.value + "\n";
    for (const Tag& tag : batch.tags) text += "tag " + tag.key + ": " + tag.value + "\n";
    for (const Metric& metric : batch.metrics) {
      text += "metric " + metric.key + ": " + number_text(metric.value);
      text += metric.step == 0 ? "\n" : " (step " + std::to_string(metric.step) + ")\n";
    }
    std::fputs(text.c_str(), stderr);
  }

  void upload_artifact(const std::string& /*run_id*/, const std::string& path, const std::filesystem::path& from,
                       const Progress&) override {
    if (!std::filesystem::exists(from)) throw FileError("add file " + path, "there is no " + from.string());
    std::fprintf(stderr, "file %s: %s\n", path.c_str(), from.c_str());
  }

  void end_run(const std::string& /*run_id*/, Phase, const std::string& /*error*/) override {}
};

}  // namespace cloud
