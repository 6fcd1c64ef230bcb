/// config.json of Azure Machine Learning: finding it and reading it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/text.hpp"
#include "cloud/json/json.hpp"

namespace cloud {

/// Which workspace of which cloud.
struct WorkspaceConfig {
  std::string subscription_id{};
  std::string resource_group{};
  std::string workspace_name{};
  /// Azure Resource Manager and Entra ID; empty: as the environment says (AZURE_AUTHORITY_HOST, AZUREML_CURRENT_CLOUD,
  /// …), else the public cloud.
  std::string arm_url{};
  std::string authority_host{};
};

/// Reads one file: `Scope`, or `subscription_id`, `resource_group` and `workspace_name` (`project_name`, older, wins).
/// Throws ConfigError naming the file and what is missing.
inline WorkspaceConfig read_config(const std::filesystem::path& file) {
  const std::string tried = "read " + file.string();
  const Json read = json::parse_or_null(read_file(file));
  if (!read.is_object()) throw ConfigError(tried, "it is no JSON object");
  WorkspaceConfig config;
  if (const std::string scope = json::text(read, {"Scope"}); !scope.empty()) {
    // /subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W
    const std::vector<std::string> part = split(scope, '/');
    if (part.size() != 9 || !equal_ignoring_case(part[1], "subscriptions") ||
        !equal_ignoring_case(part[3], "resourceGroups") || !equal_ignoring_case(part[7], "workspaces")) {
      throw ConfigError(tried, "its Scope is no workspace: " + scope);
    }
    config.subscription_id = part[2];
    config.resource_group = part[4];
    config.workspace_name = part[8];
  } else {
    config.subscription_id = json::text(read, {"subscription_id"});
    config.resource_group = json::text(read, {"resource_group"});
    config.workspace_name = json::text(read, {"project_name"}, json::text(read, {"workspace_name"}));
  }
  for (const auto& [key, value] : {std::pair{"subscription_id", &config.subscription_id},
                                   {"resource_group", &config.resource_group},
                                   {"workspace_name", &config.workspace_name}}) {
    if (value->empty()) throw ConfigError(tried, std::string("it has no ") + key);
  }
  return config;
}

/// The file that Azure's own SDK would find from `start`: a file is itself; from a folder, `.azureml`, `aml_config` and
/// the folder itself are combined with `config.json` and `project.json` (or with `file_name` alone), and for each
/// combination in turn the search walks up to the root, at most 20 levels. `searched`, if given, gets the folders
/// looked into.
inline std::optional<std::filesystem::path> find_config(const std::filesystem::path& start = {},
                                                        const std::string& file_name = {},
                                                        std::vector<std::string>* searched = nullptr) {
  const fs::path from = fs::absolute(start.empty() ? fs::current_path() : start).lexically_normal();
  std::error_code ignored;
  if (fs::is_regular_file(from, ignored)) return from;
  std::vector<std::string> names{"config.json", "project.json"};
  if (!file_name.empty()) names = {file_name};
  for (const char* folder : {".azureml", "aml_config", ""}) {
    for (const std::string& name : names) {
      fs::path here = from;
      for (int level = 0; level < 20; ++level) {
        const fs::path file = here / folder / name;
        if (searched != nullptr && level == 0) searched->push_back((here / folder).lexically_normal().string());
        if (fs::is_regular_file(file, ignored)) return file;
        if (here == here.parent_path()) break;
        here = here.parent_path();
      }
    }
  }
  return std::nullopt;
}

}  // namespace cloud
