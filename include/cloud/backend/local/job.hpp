/// What a submitted run is to do, kept in its folder so that any later process can go on with it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "cloud/backend/backend.hpp"
#include "cloud/backend/local/process.hpp"
#include "cloud/core/file.hpp"
#include "cloud/json/json.hpp"

namespace cloud::local {

struct Job {
  JobSpec spec{};
  std::string snapshot{};     // its hash
  Environment environment{};  // of the program, complete but for what names the run
};

/// What a run takes over from the environment of the process that submitted it: enough to build and to find data, and
/// none of its credentials.
inline Environment inherited_environment() {
  constexpr std::string_view kNames[] = {"PATH",
                                         "HOME",
                                         "USER",
                                         "LOGNAME",
                                         "SHELL",
                                         "LANG",
                                         "TZ",
                                         "TMPDIR",
                                         "CC",
                                         "CXX",
                                         "CFLAGS",
                                         "CXXFLAGS",
                                         "LDFLAGS",
                                         "LD_LIBRARY_PATH",
                                         "CUDACXX",
                                         "CUDA_PATH",
                                         "CUDA_HOME",
                                         "CUDA_VISIBLE_DEVICES",
                                         "PKG_CONFIG_PATH",
                                         "SSL_CERT_FILE",
                                         "http_proxy",
                                         "https_proxy",
                                         "no_proxy",
                                         "HTTPS_PROXY",
                                         "NO_PROXY",
                                         "ASAN_OPTIONS",
                                         "UBSAN_OPTIONS"};
  constexpr std::string_view kPrefixes[] = {"LC_", "XDG_", "OMP_", "CMAKE_", "CCACHE_", "DNN_"};
  Environment result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    bool wanted = false;
    for (const std::string_view known : kNames) wanted = wanted || name == known;
    for (const std::string_view prefix : kPrefixes) wanted = wanted || name.starts_with(prefix);
    if (wanted) result[std::string(name)] = text.substr(std::min(name.size() + 1, text.size()));
  }
  return result;
}

inline void save_job(const fs::path& file, const Job& job) {
  const Json saved{{"entry", job.spec.entry},
                   {"experiment", job.spec.experiment},
                   {"arguments", job.spec.arguments},
                   {"compute", job.spec.compute},
                   {"cmake_options", job.spec.cmake_options},
                   {"timeout_s", job.spec.timeout.count()},
                   {"grace_ms", job.spec.grace.count()},
                   {"snapshot", job.snapshot},
                   {"environment", json::object(job.environment)}};
  // The environment may hold what the user would not want others to read.
  write_file(file, json::dump_pretty(saved) + "\n", 0600);
}

inline Job load_job(const fs::path& file) {
  const Json saved = json::parse("read " + file.string(), read_file(file));
  Job job;
  job.spec.entry = json::text(saved, {"entry"});
  job.spec.experiment = json::text(saved, {"experiment"});
  for (const Json& argument : json::array(saved, {"arguments"})) job.spec.arguments.push_back(json::text(argument));
  job.spec.compute = json::text(saved, {"compute"});
  for (const Json& option : json::array(saved, {"cmake_options"})) job.spec.cmake_options.push_back(json::text(option));
  job.spec.timeout = std::chrono::seconds(json::integer(saved, {"timeout_s"}));
  job.spec.grace = std::chrono::milliseconds(json::integer(saved, {"grace_ms"}));
  job.snapshot = json::text(saved, {"snapshot"});
  job.environment = json::text_map(saved, {"environment"});
  return job;
}

}  // namespace cloud::local
