/// What a job runs in: an image, or a Dockerfile that the workspace builds once and keeps.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cloud/backend/azure/code.hpp"
#include "cloud/backend/azure/connection.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/sha256.hpp"

namespace cloud::azure {

/// A Debian package as apt-get takes it: `libopenblas-dev`, `gcc-13`, `cmake=3.28*`, `libc6:amd64`. Throws ConfigError
/// for anything else, since it becomes part of a Dockerfile.
inline void check_package(const std::string& name) {
  bool good = !name.empty() && name[0] != '-';
  for (const char c : name) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    std::string_view("+-.:=~*_").find(c) != std::string_view::npos);
  }
  if (!good) throw ConfigError("choose packages", "'" + name + "' is no name of a Debian package");
}

/// The default image: everything that builds and runs a CMake project that uses dnn - with CUDA's compiler and
/// libraries for `use_gpu`, with Open MPI for a job of several processes - and the packages asked for.
inline std::string default_dockerfile(const JobSpec& job) {
  std::vector<std::string> packages = {"build-essential", "ca-certificates",      "cmake",         "git",
                                       "libcereal-dev",   "libcurl4-openssl-dev", "libeigen3-dev", "libsqlite3-dev",
                                       "libssl-dev",      "libzip-dev",           "ninja-build",   "nlohmann-json3-dev",
                                       "pkg-config",      "util-linux",           "zlib1g-dev"};
  if (job.node_count > 1 || job.processes_per_node > 1) {
    packages.insert(packages.end(), {"libopenmpi-dev", "openmpi-bin", "openssh-client"});
  }
  for (const std::string& package : job.packages) {
    check_package(package);
    if (std::find(packages.begin(), packages.end(), package) == packages.end()) packages.push_back(package);
  }
  std::string text = "FROM ";
  text += job.use_gpu ? "nvidia/cuda:12.6.3-devel-ubuntu24.04" : "ubuntu:24.04";
  text += "\nENV DEBIAN_FRONTEND=noninteractive\nRUN apt-get update \\\n && apt-get install -y --no-install-recommends";
  for (const std::string& package : packages) text += " \\\n      " + package;
  return text + " \\\n && rm -rf /var/lib/apt/lists/*\n";
}

/// Registers the environment and returns its id. Its name comes from its content: the same one is not made again, and
/// the workspace does not build its image again. `source` is the uploaded source directory, the context of a job's own
/// Dockerfile.
inline std::string ensure_environment(Connection& connection, const JobSpec& job, const CodeAsset& source,
                                      const SubmitOptions& options) {
  const rest::Service service = connection.service(options.cancel);
  const std::string dockerfile = job.image.empty() && job.dockerfile.empty() ? default_dockerfile(job) : "";
  const std::string own = job.dockerfile.generic_string();
  const std::string kind = !job.image.empty() ? "image" : !own.empty() ? "docker" : job.use_gpu ? "cuda" : "cpu";
  const std::string content = !job.image.empty() ? job.image : !own.empty() ? source.uri + "\n" + own : dockerfile;
  const std::string name = "dnn-" + kind + "-" + sha256(content).substr(0, 16);
  const std::string path = "/environments/" + name + "/versions/1";
  const std::string tried = "register environment " + name;
  if (const Json found = service.find(tried, connection.arm(path)); !found.is_null()) {
    return json::text(found, {"id"}, connection.id() + path);
  }
  Json properties{{"osType", "Linux"}};
  if (!job.image.empty()) {
    properties["image"] = job.image;
  } else if (!own.empty()) {
    properties["build"] = {{"contextUri", source.uri}, {"dockerfilePath", own}};
  } else {
    const fs::path folder = fs::temp_directory_path() / ("cloud-context-" + random_hex(16));
    fs::create_directory(folder);
    CodeAsset context;
    std::error_code ignored;
    try {
      write_file(folder / "Dockerfile", dockerfile);
      context = upload_code(connection, "context", storage::list_snapshot(folder), {.cancel = options.cancel});
    } catch (...) {
      fs::remove_all(folder, ignored);
      throw;
    }
    fs::remove_all(folder, ignored);
    properties["build"] = {{"contextUri", context.uri}, {"dockerfilePath", "Dockerfile"}};
  }
  const Json made = service.make(tried, connection.arm(path), {{"properties", properties}});
  return json::text(made, {"id"}, connection.id() + path);
}

}  // namespace cloud::azure
