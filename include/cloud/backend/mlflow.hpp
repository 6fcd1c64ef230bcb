/// Runs of an MLflow server: tracking, files and its registry of models. Also of Azure's MLflow endpoint, from inside a
/// job.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cloud/backend/azure/artifacts.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/url.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/error.hpp"
#include "cloud/rest/service.hpp"
#include "cloud/tracking/mlflow_client.hpp"

namespace cloud {

/// Files go where the server keeps them: through the server (`mlflow-artifacts:`), into a folder of this machine
/// (`file:`, a plain path), or through Azure's artifact service (`azureml:`). Other stores (s3:, gs:, wasbs:, …) throw
/// UnsupportedError, as they want credentials of their own.
class MlflowBackend : public Backend {
 public:
  /// `tracking_uri`: http(s)://…
  MlflowBackend(rest::Service service, const std::string& tracking_uri)
      : service_(std::move(service)), uri_(tracking_uri), client_(service_.brief(), tracking_uri) {
    while (!uri_.empty() && uri_.back() == '/') uri_.pop_back();
  }
  /// Runs that were started here and not ended have come to their end with the program.
  ~MlflowBackend() override {
    for (const std::string& id : started_) {
      try {
        client_.end_run(id, "FINISHED");
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
    }
  }

  WorkspaceInfo workspace() override {
    return {.backend = "mlflow", .name = Url::parse(uri_).host, .location = shown_url(uri_)};
  }

  // Runs ------------------------------------------------------------------------------------------------------------

  RunInfo get_run(const std::string& id) override {
    const Json run = client_.get_run(id);
    const Json& info = json::at(run, {"info"});
    RunInfo result{.id = id};
    result.experiment = client_.experiment_name(json::text(info, {"experiment_id"}));
    result.display_name = json::text(info, {"run_name"});
    result.status = json::text(info, {"status"});
    result.phase = result.status == "FINISHED"    ? Phase::completed
                   : result.status == "FAILED"    ? Phase::failed
                   : result.status == "KILLED"    ? Phase::canceled
                   : result.status == "SCHEDULED" ? Phase::preparing
                                                  : Phase::running;
    result.created = result.started = json::integer(info, {"start_time"});
    result.ended = json::integer(info, {"end_time"});
    for (const Json& tag : json::array(run, {"data", "tags"})) {
      result.tags[json::text(tag, {"key"})] = json::text(tag, {"value"});
    }
    result.error = result.tags.contains("cloud.error") ? result.tags["cloud.error"] : "";
    return result;
  }

  RunInfo start_run(const std::string& experiment, const std::string& display_name) override {
    const Json run = client_.create_run(client_.experiment_id(experiment), display_name);
    const std::string id = json::text(run, {"info", "run_id"}, json::text(run, {"info", "run_uuid"}));
    if (id.empty()) throw NetworkError("start a run", "the server tells no id of it");
    const std::scoped_lock lock(mutex_);
    started_.insert(id);
    return {
        .id = id, .experiment = experiment, .display_name = display_name, .phase = Phase::running, .status = "RUNNING"};
  }

  /// A run that somebody else has started is theirs to end.
  void end_run(const std::string& id, Phase phase, const std::string& error) override {
    {
      const std::scoped_lock lock(mutex_);
      if (!started_.contains(id)) return;
    }
    if (!error.empty()) client_.log_batch(id, {.tags = {{"cloud.error", error.substr(0, 5000)}}});
    client_.end_run(id, phase == Phase::completed ? "FINISHED" : phase == Phase::canceled ? "KILLED" : "FAILED");
    const std::scoped_lock lock(mutex_);
    started_.erase(id);
  }

  // Tracking --------------------------------------------------------------------------------------------------------

  void log_batch(const std::string& id, const Batch& batch) override { client_.log_batch(id, batch); }
  std::vector<Metric> metrics(const std::string& id, const std::string& key) override {
    return client_.metrics(id, key);
  }
  std::vector<Param> params(const std::string& id) override { return client_.params(id); }

  // Artifacts -------------------------------------------------------------------------------------------------------

  std::vector<Artifact> list_artifacts(const std::string& id, const std::string& prefix) override {
    std::vector<Artifact> result;
    for (const Json& file : client_.files(id)) {
      std::string path = json::text(file, {"path"});
      const std::int64_t size = json::integer(file, {"file_size"}, -1);
      if (!is_safe_name(path) || !path.starts_with(prefix)) continue;
      result.push_back({std::move(path), {}});
      if (size >= 0) result.back().size = static_cast<std::uint64_t>(size);
    }
    std::sort(result.begin(), result.end(), [](const Artifact& a, const Artifact& b) { return a.path < b.path; });
    return result;
  }

  void upload_artifact(const std::string& id, const std::string& path, const fs::path& from,
                       const Progress& progress) override {
    const std::string tried = "upload " + path + " to run " + id;
    if (!is_safe_name(path)) throw ConfigError(tried, "this is no plain relative path");
    std::error_code failed;
    const std::uint64_t size = fs::file_size(from, failed);
    if (failed) throw FileError("read " + from.string(), failed.message());
    const Place place = place_of(tried, id);
    if (place.service) return place.service->upload(path, from, progress);
    if (place.url.empty()) {
      copy_whole_file(from, safe_join(place.folder, path));
    } else {
      rest::check(service_.send({.tried = tried,
                                 .method = "PUT",
                                 .url = place.url + "/" + percent_encode_path(path),
                                 .headers = {{"Content-Type", "application/octet-stream"}},
                                 .file = http::FileRange{from, 0, size}}));
    }
    if (progress) progress(path, size, size);
  }

  void download_artifact(const std::string& id, const std::string& path, const fs::path& to,
                         const Progress& progress) override {
    const std::string tried = "download " + path + " of run " + id;
    if (!is_safe_name(path)) throw FileError(tried, "this is no plain relative path");
    const Place place = place_of(tried, id);
    if (place.service) return place.service->download(path, to, progress);
    if (place.url.empty()) {
      copy_whole_file(safe_join(place.folder, path), to);
    } else {
      if (to.has_parent_path()) fs::create_directories(to.parent_path());
      replace_file(to, [&](const fs::path& temporary) {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(temporary.c_str(), "wbe"), std::fclose);
        if (!file) throw FileError("write " + temporary.string(), "it cannot be opened");
        rest::check(service_.send({.tried = tried,
                                   .url = place.url + "/" + percent_encode_path(path),
                                   .sink = [&](const http::Response&, std::string_view bytes) {
                                     if (std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) {
                                       throw FileError("write " + temporary.string(), "the disk may be full");
                                     }
                                   }}));
        if (std::fflush(file.get()) != 0) throw FileError("write " + temporary.string(), "the disk may be full");
      });
    }
    if (progress) progress(path, fs::file_size(to), fs::file_size(to));
  }

  // Models ----------------------------------------------------------------------------------------------------------

  /// Only of a run's files.
  ModelInfo register_model(const ModelSpec& spec) override {
    const std::string tried = "register model " + spec.name;
    if (spec.run_id.empty()) throw UnsupportedError(tried, "MLflow registers files of runs: upload it to one first");
    if (files_below(spec.run_id, spec.path).empty()) {
      throw NotFoundError(tried, "run " + spec.run_id + " has no file " + spec.path);
    }
    const std::string uri = json::text(client_.get_run(spec.run_id), {"info", "artifact_uri"});
    return model_of(
        client_.create_model_version(spec.name, uri + "/" + spec.path, spec.run_id, spec.description, spec.tags));
  }

  std::vector<ModelInfo> list_models(const std::string& name) override {
    std::vector<ModelInfo> models;
    for (const Json& version : client_.model_versions(name)) models.push_back(model_of(version));
    std::sort(models.begin(), models.end(), [](const ModelInfo& a, const ModelInfo& b) {
      return a.name != b.name ? a.name < b.name : a.version > b.version;
    });
    if (name.empty()) {
      models.erase(std::unique(models.begin(), models.end(),
                               [](const ModelInfo& a, const ModelInfo& b) { return a.name == b.name; }),
                   models.end());
    }
    return models;
  }

  ModelInfo get_model(const std::string& name, int version) override {
    if (!name.empty()) {
      for (ModelInfo& model : list_models(name)) {
        if (version == 0 || model.version == version) return std::move(model);
      }
    }
    throw NotFoundError("get model " + name + (version == 0 ? "" : " version " + std::to_string(version)),
                        "there is no such model on this server");
  }

  std::vector<fs::path> download_model(const ModelInfo& model, const fs::path& folder,
                                       const Progress& progress) override {
    const std::string tried = "download model " + model.name;
    if (model.run_id.empty()) throw UnsupportedError(tried, "it is not of a run");
    const std::size_t parent = model.path.rfind('/') + 1;  // 0 when there is none
    std::vector<fs::path> written;
    for (const std::string& file : files_below(model.run_id, model.path)) {
      written.push_back(safe_join(folder, file.substr(parent)));
      download_artifact(model.run_id, file, written.back(), progress);
    }
    if (written.empty()) throw NotFoundError(tried, "run " + model.run_id + " no longer has its files");
    return written;
  }

 private:
  // The file of that name, or those of the folder.
  std::vector<std::string> files_below(const std::string& run_id, const std::string& path) {
    std::vector<std::string> files;
    for (Artifact& file : list_artifacts(run_id, path)) {
      if (file.path == path || file.path.starts_with(path + "/")) files.push_back(std::move(file.path));
    }
    return files;
  }

  static ModelInfo model_of(const Json& version) {
    ModelInfo model;
    model.name = json::text(version, {"name"});
    model.version = static_cast<int>(json::integer(version, {"version"}));
    model.run_id = json::text(version, {"run_id"});
    model.description = json::text(version, {"description"});
    model.created = json::integer(version, {"creation_timestamp"});
    const std::string source = json::text(version, {"source"});
    const std::string files = model.run_id + "/artifacts/";
    const std::size_t at = source.find(files);
    model.path = at == std::string::npos ? source : source.substr(at + files.size());
    for (const Json& tag : json::array(version, {"tags"})) {
      model.tags[json::text(tag, {"key"})] = json::text(tag, {"value"});
    }
    return model;
  }

  // Where the files of a run are: below a URL, in a folder of this machine, or with Azure's artifact service.
  struct Place {
    std::string url{};
    fs::path folder{};
    std::optional<azure::Artifacts> service{};
  };

  Place place_of(const std::string& tried, const std::string& id) const {
    const std::string uri = json::text(client_.get_run(id), {"info", "artifact_uri"});
    constexpr std::string_view kThroughServer = "mlflow-artifacts:";
    if (uri.starts_with(kThroughServer)) {
      std::string path = uri.substr(kThroughServer.size());
      if (path.starts_with("//") && !path.starts_with("///")) {
        const Url server = Url::parse(uri_);
        path = path.substr(2);
        const std::string authority = path.substr(0, path.find('/'));
        const std::string own = server.origin().substr(server.scheme.size() + 3);
        if (authority != own) throw UnsupportedError(tried, "its files are on another server, " + authority);
        path = path.substr(authority.size());
      }
      path.erase(0, path.find_first_not_of('/'));
      return {.url = uri_ + "/api/2.0/mlflow-artifacts/artifacts/" + percent_encode_path(path)};
    }
    if (uri.starts_with("file://")) return {.folder = percent_decode(uri.substr(7))};
    if (uri.starts_with("/")) return {.folder = uri};
    if (const std::size_t at = uri_.find("/mlflow/v"); uri.starts_with("azureml:") && at != std::string::npos) {
      // {data plane}/mlflow/v1.0{workspace} and {data plane}/artifact/v2.0{workspace}
      const std::string workspace = uri_.substr(std::min(uri_.find('/', at + 9), uri_.size()));
      return {.service = azure::Artifacts(service_, uri_.substr(0, at) + "/artifact/v2.0" + workspace, id)};
    }
    throw UnsupportedError(tried, "its files are kept at " + shown_url(uri));
  }

  rest::Service service_;
  std::string uri_;
  tracking::MlflowClient client_;
  std::mutex mutex_;
  std::set<std::string> started_;
};

}  // namespace cloud
