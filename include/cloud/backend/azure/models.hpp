/// The workspace's model registry.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud/backend/azure/artifacts.hpp"
#include "cloud/backend/azure/code.hpp"
#include "cloud/backend/azure/connection.hpp"
#include "cloud/backend/azure/runs.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/sha256.hpp"
#include "cloud/json/json.hpp"
#include "cloud/storage/blob.hpp"

namespace cloud::azure {

/// Where a model's files are.
struct ModelPlace {
  enum class Kind { run, datastore, blob } kind = Kind::blob;
  std::string owner{};  // the run, or the datastore
  std::string path{};   // below it
};

/// Reads the forms of a model URI: of a job's outputs, of a datastore (short and long), of a blob.
inline ModelPlace model_place(const std::string& uri) {
  const auto after = [&](std::string_view mark) {
    const std::size_t at = uri.find(mark);
    return at == std::string::npos ? std::string() : uri.substr(at + mark.size());
  };
  const auto run_of_store = [](const std::string& path) -> ModelPlace {
    constexpr std::string_view kStart = "ExperimentRun/dcid.";
    if (!path.starts_with(kStart)) return {ModelPlace::Kind::datastore, "workspaceartifactstore", path};
    const std::size_t slash = std::min(path.find('/', kStart.size()), path.size());
    return {ModelPlace::Kind::run, path.substr(kStart.size(), slash - kStart.size()),
            slash < path.size() ? path.substr(slash + 1) : ""};
  };
  if (uri.starts_with("azureml://jobs/") || uri.starts_with("runs:/")) {
    const std::string rest = uri.starts_with("runs:/") ? uri.substr(6) : after("azureml://jobs/");
    const std::string run = rest.substr(0, rest.find('/'));
    if (uri.starts_with("runs:/"))
      return {ModelPlace::Kind::run, run, rest.substr(std::min(run.size() + 1, rest.size()))};
    const std::string output = after("/outputs/");
    const std::string name = output.substr(0, output.find('/'));
    std::string path = after("/paths/");
    if (name == "artifacts") return {ModelPlace::Kind::run, run, std::move(path)};
    return {ModelPlace::Kind::datastore, "workspaceblobstore", "azureml/" + run + "/" + name + "/" + path};
  }
  if (uri.starts_with("azureml://")) {
    const std::string rest = after("datastores/");
    std::string store = rest.substr(0, rest.find('/'));
    std::string path = after("/paths/");
    if (store == "workspaceartifactstore") return run_of_store(path);
    return {ModelPlace::Kind::datastore, std::move(store), std::move(path)};
  }
  return {ModelPlace::Kind::blob, "", uri.substr(0, uri.find('?'))};
}

inline ModelInfo model_info(const Json& version, const std::string& name) {
  const Json& properties = json::at(version, {"properties"});
  ModelInfo model{.name = name};
  model.version = parse_number<int>(json::text(version, {"name"})).value_or(0);
  const std::string uri = json::text(properties, {"modelUri"});
  const ModelPlace place = model_place(uri);
  model.run_id = json::text(properties, {"jobName"}, place.kind == ModelPlace::Kind::run ? place.owner : "");
  model.path = place.kind == ModelPlace::Kind::run ? place.path : uri;
  model.description = json::text(properties, {"description"});
  model.tags = json::text_map(properties, {"tags"});
  model.created = time_at(version, {"systemData", "createdAt"});
  model.sha256 = json::text(properties, {"properties", "sha256"});
  if (const std::int64_t size = json::integer(properties, {"properties", "size"}, -1); size >= 0) {
    model.size = static_cast<std::uint64_t>(size);
  }
  return model;
}

class Models {
 public:
  explicit Models(Connection& connection) : connection_(connection) {}

  ModelInfo add(const ModelSpec& spec) const {
    const std::string tried = "register model " + spec.name;
    Json properties{{"modelType", "custom_model"}, {"tags", json::object(spec.tags)}, {"properties", Json::object()}};
    if (!spec.description.empty()) properties["description"] = spec.description;
    if (!spec.run_id.empty()) {
      std::string path = spec.path;
      while (!path.empty() && path.back() == '/') path.pop_back();
      const Json job =
          connection_.service().get("get run " + spec.run_id, connection_.arm("/jobs/" + percent_encode(spec.run_id)));
      const std::string status = json::text(job, {"properties", "status"});
      if (!is_terminal(phase_of(status))) {
        throw ConflictError(tried,
                            "run " + spec.run_id + " is " + status + "; its files are complete when it has ended");
      }
      const std::vector<Artifact> files = artifacts(spec.run_id).list(path);
      if (std::none_of(files.begin(), files.end(),
                       [&](const Artifact& file) { return file.path == path || file.path.starts_with(path + "/"); })) {
        throw NotFoundError(tried, "run " + spec.run_id + " has no file or folder " + path);
      }
      properties["modelUri"] = "azureml://jobs/" + spec.run_id + "/outputs/artifacts/paths/" + path;
      properties["jobName"] = spec.run_id;
    } else {
      upload(spec, properties);
    }
    const rest::Service service = connection_.service();
    const std::string model = "/models/" + percent_encode(spec.name);
    int version = 0;
    for (int tries = 1;; ++tries) {
      const Json known = service.find("get model " + spec.name, connection_.arm(model));
      const auto number = [&](const char* name) {
        return static_cast<int>(json::integer(known, {"properties", name}));
      };
      version = std::max({number("nextVersion"), number("latestVersion") + 1, version + 1});
      const std::string url = connection_.arm(model + "/versions/" + std::to_string(version));
      try {
        return model_info(service.put(tried, url, {{"properties", properties}}), spec.name);
      } catch (const ConflictError& error) {
        // It is ours, and only the reply was lost; or somebody else was faster.
        const ModelInfo there = model_info(service.find(tried, url), spec.name);
        const ModelInfo wanted = model_info({{"properties", properties}}, spec.name);
        if (error.details().attempts > 1 && there.run_id == wanted.run_id && there.path == wanted.path) return there;
        if (tries == 4) throw;
      }
    }
  }

  std::vector<ModelInfo> list(const std::string& name) const {
    std::vector<ModelInfo> models;
    const rest::Service service = connection_.service();
    if (name.empty()) {
      std::vector<std::string> names;
      service.each("list models", connection_.arm("/models"), [&](const Json& item) {
        names.push_back(json::text(item, {"name"}));
        return true;
      });
      for (const std::string& one : names) {
        try {
          models.push_back(get(one, 0));
        } catch (const NotFoundError&) {
          // all of its versions are gone
        }
      }
      return models;
    }
    service.each("list versions of model " + name, connection_.arm("/models/" + percent_encode(name) + "/versions"),
                 [&](const Json& item) {
                   models.push_back(model_info(item, name));
                   return true;
                 });
    std::stable_sort(models.begin(), models.end(),
                     [](const ModelInfo& a, const ModelInfo& b) { return a.version > b.version; });
    return models;
  }

  ModelInfo get(const std::string& name, int version) const { return model_info(find(name, version), name); }

  std::vector<fs::path> download(const ModelInfo& model, const fs::path& folder, const Progress& progress) const {
    const std::string tried = "download model " + model.name + " version " + std::to_string(model.version);
    const Json found = find(model.name, model.version);
    const std::string uri = json::text(found, {"properties", "modelUri"});
    const ModelPlace place = model_place(uri);
    std::vector<fs::path> written;
    if (place.kind == ModelPlace::Kind::run) {
      const Artifacts files = artifacts(place.owner);
      for (const Artifact& file : files.list(place.path)) {
        const std::string name = below(file.path, place.path);
        if (name.empty()) continue;
        written.push_back(safe_join(folder, name));
        files.download(file.path, written.back(), progress);
      }
    } else {
      std::string path = place.path;
      const std::string upload_name = json::text(found, {"properties", "properties", "cloud.upload"});
      std::optional<PendingUpload> pending;
      if (!upload_name.empty()) pending.emplace(connection_, upload_name, CancelToken());
      storage::SasUrl sas([&] {
        return place.kind == ModelPlace::Kind::datastore ? datastore_url(tried, place.owner) : container_of(tried, uri);
      });
      storage::SasUrl& container = pending ? pending->container() : sas;
      if (place.kind == ModelPlace::Kind::blob)
        path = path_in(pending ? pending->uri() : container_of(tried, uri), uri);
      const storage::BlobClient blobs = connection_.blobs_with_token();
      for (const storage::BlobProperties& blob : blobs.list(tried, container, path)) {
        const std::string name = below(blob.name, path);
        if (name.empty()) continue;
        written.push_back(safe_join(folder, name));
        std::uint64_t done = 0;
        blobs.download(container, blob.name, written.back(), [&](std::uint64_t bytes) {
          done += bytes;
          if (progress) progress(name, done, blob.size);
        });
      }
    }
    if (written.empty()) throw NotFoundError(tried, "there is no file at " + shown_url(uri));
    if (!model.sha256.empty() && written.size() == 1 && sha256_file(written[0]) != model.sha256) {
      std::error_code ignored;
      fs::remove(written[0], ignored);
      throw NetworkError(tried, "what arrived is not what was registered: its SHA-256 is another one");
    }
    return written;
  }

 private:
  Artifacts artifacts(const std::string& run_id) const {
    return {connection_.service(), connection_.artifact(""), run_id};
  }

  // Uploads a file or folder of this machine and says in `properties` where it went.
  void upload(const ModelSpec& spec, Json& properties) const {
    const fs::path path = spec.path;
    std::vector<storage::SnapshotFile> files;
    std::string folder = "model";
    if (fs::is_directory(path)) {
      folder = storage_folder(path);
      for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (!entry.is_regular_file()) continue;
        files.push_back({entry.path().lexically_relative(path).generic_string(), entry.path(), entry.file_size()});
      }
      std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    } else if (fs::is_regular_file(path)) {
      files.push_back({path.filename().string(), path, fs::file_size(path)});
      properties["properties"]["sha256"] = sha256_file(path);
      properties["properties"]["size"] = std::to_string(files[0].size);
    }
    if (files.empty())
      throw FileError("register model " + spec.name, path.string() + " is no file, and no folder of files");
    const std::string name = guid_of(sha256("model/" + folder + "/" + storage::snapshot_hash(files)));
    PendingUpload place(connection_, name, CancelToken());
    const std::string uri = upload_files(connection_, place, folder, files, {});
    properties["modelUri"] = fs::is_directory(path) ? uri : uri + "/" + percent_encode(files[0].name);
    properties["properties"]["cloud.upload"] = name;
  }

  Json find(const std::string& name, int version) const {
    const std::string versions = "/models/" + percent_encode(name) + "/versions";
    const rest::Service service = connection_.service();
    if (version > 0) {
      return service.get("get version " + std::to_string(version) + " of model " + name,
                         connection_.arm(versions + "/" + std::to_string(version)));
    }
    const std::string url =
        add_query(add_query(connection_.arm(versions), "$orderBy", "createdtime desc"), "$top", "1");
    Json latest;
    service.each("get model " + name, url, [&](const Json& item) {
      latest = item;
      return false;
    });
    if (latest.is_null()) throw NotFoundError("get model " + name, "it has no versions");
    return latest;
  }

  // The part of `path` below `base`: the file's own name when it is `base`, empty when it is a neighbour
  // (outputs/model.npz.bak of outputs/model.npz).
  static std::string below(const std::string& path, std::string base) {
    while (!base.empty() && base.back() == '/') base.pop_back();
    if (path == base) return path.substr(path.rfind('/') + 1);
    if (base.empty()) return path;
    return path.starts_with(base + "/") ? path.substr(base.size() + 1) : "";
  }

  std::string datastore_url(const std::string& tried, const std::string& name) const {
    const rest::Service service = connection_.service();
    const std::string path = "/datastores/" + percent_encode(name);
    const Json store = service.get(tried, connection_.arm(path));
    const Json& properties = json::at(store, {"properties"});
    if (json::text(properties, {"datastoreType"}) != "AzureBlob") {
      throw UnsupportedError(tried, "datastore " + name + " is of type " + json::text(properties, {"datastoreType"}));
    }
    std::string url = json::text(properties, {"protocol"}, "https") + "://" + json::text(properties, {"accountName"}) +
                      ".blob." + json::text(properties, {"endpoint"}, connection_.cloud().storage_suffix) + "/" +
                      percent_encode(json::text(properties, {"containerName"}));
    const std::string kind = json::text(properties, {"credentials", "credentialsType"});
    if (equal_ignoring_case(kind, "Sas")) {
      std::string sas =
          json::text(service.post(tried, connection_.arm(path + "/listSecrets"), Json(), true), {"sasToken"});
      if (!sas.empty() && sas[0] == '?') sas.erase(0, 1);
      return url + "?" + sas;
    }
    if (equal_ignoring_case(kind, "None")) return url;  // with a token
    throw UnsupportedError(tried,
                           "datastore " + name + " has credentials of kind " + kind +
                               "; give it a SAS token or identity-based access, or register the model from a run");
  }

  // The container of a blob's URL. A token goes there, so it must be storage of this cloud.
  std::string container_of(const std::string& tried, const std::string& uri) const {
    const Url url = Url::parse(uri);
    if (url.scheme != "https" || !url.host.ends_with(".blob." + connection_.cloud().storage_suffix)) {
      throw UnsupportedError(tried, shown_url(uri) + " is no blob of this cloud");
    }
    return url.origin() + url.path.substr(0, url.path.find('/', 1));
  }

  static std::string path_in(const std::string& container, const std::string& uri) {
    const std::string plain = uri.substr(0, uri.find('?'));
    if (!plain.starts_with(container + "/")) return percent_decode(Url::parse(uri).path.substr(1));
    return percent_decode(plain.substr(container.size() + 1));
  }

  Connection& connection_;
};

}  // namespace cloud::azure
