/// What to run: a source directory, its program, the program's parameters, and where.
#pragma once

#include <chrono>
#include <concepts>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/compute_target.hpp"
#include "cloud/core/text.hpp"

namespace cloud {

/// One option of the program: `{"--epochs", 10}`, `{"--output_dir", "./outputs"}`, or a flag, `{"--verbose"}`.
struct ScriptParam {
  struct Value {
    Value() = default;
    Value(const char* from) : text(from), given(true) {}
    Value(std::string from) : text(std::move(from)), given(true) {}
    Value(bool value) : text(value ? "true" : "false"), given(true) {}
    template <std::integral Number>
    Value(Number value) : text(std::to_string(value)), given(true) {}
    Value(double value) : text(number_text(value)), given(true) {}

    std::string text{};
    bool given = false;
  };

  std::string name{};
  Value value{};
};

/// A compute by name, or the target itself. None: this machine, at once.
struct ComputeReference {
  ComputeReference() = default;
  ComputeReference(const ComputeTarget& target) : name(target.name()) {}
  ComputeReference(std::string compute) : name(std::move(compute)) {}
  ComputeReference(const char* compute) : name(compute) {}

  std::string name{};
};

struct EstimatorOptions {
  /// What travels with the run: everything below it but what its .amlignore (or .gitignore) leaves out.
  std::filesystem::path source_directory = ".";
  /// The CMake target to build and start; without a CMakeLists.txt, an executable file of the source directory.
  std::string entry{};
  std::vector<ScriptParam> script_params{};
  ComputeReference compute_target{};
  std::vector<std::string> packages{};       // Debian packages that the build and the program need
  std::vector<std::string> cmake_options{};  // for example -DDNN_BUILD_TESTS=OFF
  bool use_gpu = false;
  std::map<std::string, std::string> environment_variables{};
  std::string image{};                 // Azure: a ready image instead of the default Dockerfile
  std::filesystem::path dockerfile{};  // Azure: one of the source directory instead of the default one
  int node_count = 1;
  int processes_per_node = 1;
  std::chrono::seconds timeout{0};  // 0: none
  std::string display_name{};
  std::map<std::string, std::string> tags{};
};

class Estimator {
 public:
  explicit Estimator(EstimatorOptions options) : options_(std::move(options)) {}

  const EstimatorOptions& options() const { return options_; }

  /// The job for one experiment.
  JobSpec job(const std::string& experiment) const {
    JobSpec job;
    job.experiment = experiment;
    job.display_name = options_.display_name.empty() ? experiment : options_.display_name;
    job.source_directory = options_.source_directory;
    job.entry = options_.entry;
    for (const ScriptParam& param : options_.script_params) {
      job.arguments.push_back(param.name);
      if (param.value.given) job.arguments.push_back(param.value.text);
    }
    job.environment_variables = options_.environment_variables;
    job.compute = options_.compute_target.name;
    job.cmake_options = options_.cmake_options;
    job.packages = options_.packages;
    job.image = options_.image;
    job.dockerfile = options_.dockerfile;
    job.use_gpu = options_.use_gpu;
    job.node_count = options_.node_count;
    job.processes_per_node = options_.processes_per_node;
    job.timeout = options_.timeout;
    job.tags = options_.tags;
    return job;
  }

 private:
  EstimatorOptions options_;
};

}  // namespace cloud
