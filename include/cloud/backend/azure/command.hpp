/// The command line of a job, and the job itself.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/text.hpp"
#include "cloud/json/json.hpp"
#include "cloud/storage/git.hpp"

namespace cloud::azure {

/// One argument for a POSIX shell, whatever it holds. Azure replaces `${{…}}` and `$[[…]]` before the shell sees the
/// command: inside an argument these are broken up, so that they stay what they are.
inline std::string quote(std::string_view argument) {
  std::string text = "'";
  for (std::size_t i = 0; i < argument.size(); ++i) {
    if (argument[i] == '\'') {
      text += "'\\''";
    } else if (argument[i] == '$' && i + 1 < argument.size() && (argument[i + 1] == '{' || argument[i + 1] == '[')) {
      text += "$''";
    } else {
      text += argument[i];
    }
  }
  return text + "'";
}

/// Builds `entry` with CMake and becomes it - or, for a file of the sources, just becomes it.
///
/// The build happens in the job, since the sources belong to the run and the image does not. Its output is in
/// ./logs/build.log; when it fails its end is shown. Processes of one job that share a folder build once: the lock goes
/// away with its holder, whatever happens to that.
inline std::string job_command(const JobSpec& job, bool is_cmake_project) {
  std::string arguments;
  for (const std::string& argument : job.arguments) arguments += " " + quote(argument);
  if (!is_cmake_project) {
    const std::string file = quote("./" + job.entry);
    return "chmod +x " + file + " 2>/dev/null; exec " + file + arguments;
  }
  std::string options;
  for (const std::string& option : job.cmake_options) options += " " + quote(option);
  const std::string entry = quote(job.entry);
  return "mkdir -p .cloud_build logs outputs && exec 9>.cloud_build/lock && { ! command -v flock >/dev/null || flock "
         "9; }"
         " && if [ ! -e .cloud_build/done ]; then"
         " { cmake -S . -B .cloud_build -DCMAKE_BUILD_TYPE=Release" +
         options + " && cmake --build .cloud_build --target " + entry +
         " --parallel \"$(nproc)\"; } >logs/build.log 2>&1 && touch .cloud_build/done"
         " || { echo 'The build has failed; the end of logs/build.log:'; tail -n 100 logs/build.log; exit 1; }; fi"
         " && exec 9>&- && cloud_entry=\"$(find .cloud_build -name CMakeFiles -prune -o -type f -name " +
         entry +
         " -perm -u+x -print | head -n 1)\""
         " && { [ -n \"$cloud_entry\" ] || { echo 'The build made no such program.'; exit 1; }; }"
         " && exec \"$cloud_entry\"" +
         arguments;
}

/// The id of a new run: `{experiment}_{time}_{random}`.
inline std::string new_run_id(const std::string& experiment) {
  std::string id;
  for (const char c : experiment.substr(0, 200)) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    id += good ? c : '-';
  }
  if (id.empty() || id[0] == '-' || id[0] == '_') id.insert(0, "run");
  return id + "_" + std::to_string(now_ms() / 1000) + "_" + random_hex(8);
}

inline Json job_body(const JobSpec& job, const std::string& command, const std::string& compute_id,
                     const std::string& code_id, const std::string& environment_id) {
  Json properties{{"jobType", "Command"},
                  {"displayName", job.display_name},
                  {"experimentName", job.experiment.empty() ? "Default" : job.experiment},
                  {"computeId", compute_id},
                  {"codeId", code_id},
                  {"environmentId", environment_id},
                  {"command", command},
                  {"resources", {{"instanceCount", job.node_count}}}};
  if (job.display_name.empty()) properties.erase("displayName");
  const std::map<std::string, std::string> git = storage::git_facts(job.source_directory);
  if (!git.empty()) properties["properties"] = json::object(git);
  if (!job.tags.empty()) properties["tags"] = json::object(job.tags);
  if (!job.environment_variables.empty()) {
    properties["environmentVariables"] = json::object(job.environment_variables);
  }
  if (job.node_count > 1 || job.processes_per_node > 1) {
    properties["distribution"] = {{"distributionType", "Mpi"}, {"processCountPerInstance", job.processes_per_node}};
  }
  if (job.timeout.count() > 0) {
    properties["limits"] = {{"jobLimitsType", "Command"}, {"timeout", iso8601_duration(job.timeout)}};
  }
  return {{"properties", std::move(properties)}};
}

}  // namespace cloud::azure
