/// The files of a run: what its program wrote to ./outputs and ./logs, and what was uploaded to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/core/cancel.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/url.hpp"
#include "cloud/http/client.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/service.hpp"
#include "cloud/storage/blob.hpp"

namespace cloud::azure {

/// Azure's artifact service for one run. It takes the token of the resource manager, and inside a job the run's own.
class Artifacts {
 public:
  /// `base`: `{data plane}/artifact/v2.0{workspace}`.
  Artifacts(rest::Service service, const std::string& base, const std::string& run_id)
      : service_(std::move(service)),
        run_id_(run_id),
        base_(base + "/artifacts/ExperimentRun/dcid." + percent_encode(run_id)) {}

  /// Sorted. Names that could lead out of a folder are left out: no file of a run has one, unless by malice.
  std::vector<Artifact> list(const std::string& prefix) const {
    std::vector<Artifact> artifacts;
    const std::string url = prefix.empty() ? base_ : add_query(base_, "path", prefix);
    service_.each("list the files of run " + run_id_, url, [&](const Json& item) {
      std::string path = json::text(item, {"path"});
      if (is_safe_name(path) && path.starts_with(prefix)) artifacts.push_back({.path = std::move(path), .size{}});
      return true;
    });
    std::sort(artifacts.begin(), artifacts.end(), [](const Artifact& a, const Artifact& b) { return a.path < b.path; });
    return artifacts;
  }

  void download(const std::string& path, const fs::path& to, const Progress& progress) const {
    const std::string tried = "download " + path + " of run " + run_id_;
    if (!is_safe_name(path)) throw FileError("download a file of run " + run_id_, "its name could leave a folder");
    storage::SasUrl sas([&] {
      std::string url =
          json::text(service_.get(tried, add_query(base_ + "/contentinfo", "path", path)), {"contentUri"});
      if (url.empty()) throw NotFoundError(tried, "the service tells no place of it");
      return url;
    });
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    storage::BlobClient(service_.client(), service_.cancel())
        .download(
            sas, "", to,
            [&](std::uint64_t bytes) {
              done += bytes;
              if (progress) progress(path, std::min(done, std::max(total, done)), total);
            },
            [&](std::uint64_t size) {
              total = size;
              done = 0;
            });
  }

  void upload(const std::string& path, const fs::path& from, const Progress& progress) const {
    const std::string tried = "upload " + path + " to run " + run_id_;
    if (!is_safe_name(path)) throw ConfigError(tried, "this is no plain relative path");
    std::error_code failed;
    const std::uint64_t total = fs::file_size(from, failed);
    if (failed) throw FileError("read " + from.string(), failed.message());
    storage::SasUrl sas([&] {
      const Json reply =
          service_.post(tried, base_ + "/batch/metadata", {{"paths", Json::array({{{"path", path}}})}}, true);
      std::string url = json::text(reply, {"artifactContentInformation", path, "contentUri"});
      if (url.empty()) {  // it is there already, maybe since the try before: its place is told here
        url = json::text(service_.get(tried, add_query(base_ + "/write", "path", path)), {"contentUri"});
      }
      if (url.empty()) throw NetworkError(tried, "the service tells no place for it");
      return url;
    });
    std::mutex mutex;
    std::uint64_t done = 0;
    storage::BlobClient(service_.client(), service_.cancel()).upload(sas, "", from, [&](std::uint64_t bytes) {
      const std::scoped_lock lock(mutex);
      done += bytes;
      if (progress) progress(path, done, total);
    });
  }

 private:
  rest::Service service_;
  std::string run_id_;
  std::string base_;
};

}  // namespace cloud::azure
