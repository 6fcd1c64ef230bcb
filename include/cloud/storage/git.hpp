/// Which commit a source directory is of.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cloud/core/process.hpp"
#include "cloud/core/text.hpp"

namespace cloud::storage {

/// What Azure's own client notes about a run, under its names: `mlflow.source.git.repoURL` (without a user name or
/// password), `mlflow.source.git.branch`, `mlflow.source.git.commit`, `azureml.git.dirty` ("True", "False"). Nothing
/// when the folder is no work tree, or there is no git.
inline std::map<std::string, std::string> git_facts(const std::filesystem::path& folder) {
  const auto git = [&](std::vector<std::string> arguments) -> std::optional<std::string> {
    arguments.insert(arguments.begin(), {"git", "-C", folder.string()});
    const ProgramResult result = run_program(arguments, std::chrono::seconds(10));
    if (!result.found || result.exit_code != 0) return std::nullopt;
    return std::string(trim(result.out));
  };
  std::map<std::string, std::string> facts;
  const auto commit = git({"rev-parse", "--verify", "HEAD"});
  if (!commit) return facts;
  facts["mlflow.source.git.commit"] = *commit;
  if (const auto branch = git({"symbolic-ref", "--short", "HEAD"})) facts["mlflow.source.git.branch"] = *branch;
  if (const auto changes = git({"status", "--porcelain"})) {
    facts["azureml.git.dirty"] = changes->empty() ? "False" : "True";
  }
  if (auto url = git({"remote", "get-url", "origin"})) {
    const std::size_t host = url->find("://") == std::string::npos ? 0 : url->find("://") + 3;
    const std::size_t user = url->find('@', host);
    if (host != 0 && user < url->find('/', host)) url->erase(host, user + 1 - host);
    facts["mlflow.source.git.repoURL"] = *url;
  }
  return facts;
}

}  // namespace cloud::storage
