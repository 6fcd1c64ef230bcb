/// From what the services say about a job to a RunInfo.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/text.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/error.hpp"

namespace cloud::azure {

/// The article's phase for a status of Azure; a status that this code does not know counts as running.
inline Phase phase_of(std::string_view status) {
  for (const auto& [word, phase] : {std::pair<std::string_view, Phase>{"NotStarted", Phase::preparing},
                                    {"Starting", Phase::preparing},
                                    {"Preparing", Phase::preparing},
                                    {"Provisioning", Phase::scaling},
                                    {"Queued", Phase::scaling},
                                    {"Finalizing", Phase::post_processing},
                                    {"Completed", Phase::completed},
                                    {"Canceled", Phase::canceled},
                                    {"Failed", Phase::failed},
                                    // The service has given these up; nothing more comes from them.
                                    {"NotResponding", Phase::failed},
                                    {"Paused", Phase::failed}}) {
    if (equal_ignoring_case(status, word)) return phase;
  }
  return Phase::running;
}

/// Whether `name` is the log of a run's own program - of rank 0, if it has several:
/// user_logs/std_log.txt, user_logs/std_log_process_00.txt, user_logs/std_log_ps.txt.
inline bool is_main_log(std::string_view name) {
  constexpr std::string_view kStart = "user_logs/std_log";
  constexpr std::string_view kEnd = ".txt";
  if (name.substr(0, kStart.size()) != kStart || name.size() < kStart.size() + kEnd.size()) return false;
  if (name.substr(name.size() - kEnd.size()) != kEnd) return false;
  std::string_view middle = name.substr(kStart.size(), name.size() - kStart.size() - kEnd.size());
  if (middle.size() >= 3 && middle.substr(middle.size() - 3) == "_ps") middle.remove_suffix(3);
  while (!middle.empty() && middle.back() == '0') middle.remove_suffix(1);
  return middle.find_first_of("0123456789") == std::string_view::npos;
}

/// The logs worth showing, in order: of the image's build, of the program's build, of the program. Old runs have
/// azureml-logs/NN… instead.
inline std::vector<std::string> shown_logs(const std::map<std::string, std::string>& logs) {
  std::vector<std::string> builds;
  std::vector<std::string> mains;
  std::vector<std::string> old;
  for (const auto& entry : logs) {
    const std::string& name = entry.first;
    constexpr std::string_view kOld = "azureml-logs/";
    const bool is_old = name.starts_with(kOld) && name.size() > kOld.size() + 2 && name.ends_with(".txt") &&
                        name.find_first_not_of("0123456789", kOld.size()) == kOld.size() + 2;
    if (name == "logs/build.log" || (is_old && name.find("build") != std::string::npos)) {
      builds.push_back(name);
    } else if (is_main_log(name)) {
      mains.push_back(name);
    } else if (is_old || name == "azureml-logs/hyperdrive.txt") {
      old.push_back(name);
    }
  }
  const std::vector<std::string>& rest = mains.empty() ? old : mains;
  builds.insert(builds.end(), rest.begin(), rest.end());
  return builds;
}

/// The last part of a resource id.
inline std::string last_part(const std::string& id) { return id.substr(id.rfind('/') + 1); }

inline Milliseconds time_at(const Json& value, json::Path path) {
  return parse_rfc3339(json::text(value, path)).value_or(0);
}

/// What the resource manager knows.
inline RunInfo run_of_job(const Json& job) {
  RunInfo run{.id = json::text(job, {"name"})};
  run.experiment = json::text(job, {"properties", "experimentName"});
  run.display_name = json::text(job, {"properties", "displayName"});
  run.status = json::text(job, {"properties", "status"});
  run.phase = phase_of(run.status);
  run.compute = last_part(json::text(job, {"properties", "computeId"}));
  run.created = time_at(job, {"systemData", "createdAt"});
  run.web_url = rest::presentable(json::text(job, {"properties", "services", "Studio", "endpoint"}));
  run.tags = json::text_map(job, {"properties", "tags"});
  run.properties = json::text_map(job, {"properties", "properties"});
  return run;
}

/// What run history knows of a run that is no job.
inline RunInfo run_of_history(const Json& entry) {
  RunInfo run{.id = json::text(entry, {"runId"})};
  run.display_name = json::text(entry, {"name"});
  run.status = json::text(entry, {"status"});
  run.phase = phase_of(run.status);
  run.created = time_at(entry, {"createdUtc"});
  return run;
}

/// The program's exit code: 0 for a completed run, else as the error's text tells ("exited with status code 3"), since
/// no field holds it.
inline std::optional<int> exit_code_of(Phase phase, std::string_view error) {
  if (phase == Phase::completed) return 0;
  for (const std::string_view mark : {"status code ", "exit code "}) {
    const std::size_t at = error.find(mark);
    if (phase != Phase::failed || at == std::string_view::npos) continue;
    const std::string_view rest = error.substr(at + mark.size());
    return parse_number<int>(rest.substr(0, rest.find_first_not_of("0123456789")));
  }
  return std::nullopt;
}

/// Adds what run history knows: the newest status, times, error, warnings, logs.
inline void add_details(RunInfo& run, const Json& details) {
  run.status = json::text(details, {"status"}, run.status);
  run.phase = phase_of(run.status);
  const Milliseconds start = time_at(details, {"startTimeUtc"});
  run.ended = is_terminal(run.phase) ? time_at(details, {"endTimeUtc"}) : 0;
  // A run that never got so far has the time of its end as that of its start.
  if (run.phase >= Phase::running && start != run.ended) run.started = start;
  const Json& outer = json::at(details, {"error"});
  const Json& error = json::at(outer, {"error"}).is_object() ? json::at(outer, {"error"}) : outer;
  const std::string message = rest::message_of(error);
  const std::string code = json::text(error, {"code"});
  run.error = rest::presentable(message.empty() ? code : (code.empty() ? "" : code + ": ") + message, 4000);
  run.exit_code = exit_code_of(run.phase, message);
  if (run.phase == Phase::failed && run.error.empty() && !equal_ignoring_case(run.status, "Failed")) {
    run.error = "the service reports the run as " + run.status;
  }
  for (const Json& warning : json::array(details, {"warnings"})) {
    const std::string source = json::text(warning, {"source"});
    const std::string text = (source.empty() ? "" : source + ": ") + json::text(warning, {"message"});
    if (!text.empty()) run.warnings.push_back(rest::presentable(text));
  }
  for (auto& [key, value] : json::text_map(details, {"tags"})) run.tags[key] = value;
  for (auto& [key, value] : json::text_map(details, {"properties"})) run.properties[key] = value;
  if (run.compute.empty()) run.compute = json::text(details, {"target"});
  run.log_files = shown_logs(json::text_map(details, {"logFiles"}));
}

}  // namespace cloud::azure
