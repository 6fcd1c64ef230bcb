/// Azure Machine Learning as a Backend.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/azure/artifacts.hpp"
#include "cloud/backend/azure/code.hpp"
#include "cloud/backend/azure/command.hpp"
#include "cloud/backend/azure/compute.hpp"
#include "cloud/backend/azure/connection.hpp"
#include "cloud/backend/azure/environment.hpp"
#include "cloud/backend/azure/logs.hpp"
#include "cloud/backend/azure/models.hpp"
#include "cloud/backend/azure/runs.hpp"
#include "cloud/backend/backend.hpp"
#include "cloud/backend/config.hpp"
#include "cloud/http/client.hpp"
#include "cloud/rest/operation.hpp"
#include "cloud/storage/snapshot.hpp"
#include "cloud/tracking/mlflow_client.hpp"

namespace cloud::azure {

/// A workspace of Azure Machine Learning. Thread-safe.
class AzureBackend : public Backend {
 public:
  /// `credential`: null for the default one (auth/chain.hpp).
  explicit AzureBackend(WorkspaceConfig config, http::Client client = http::Client(),
                        std::shared_ptr<auth::Credential> credential = nullptr)
      : connection_(std::move(config), std::move(client), std::move(credential)) {}

  Connection& connection() { return connection_; }

  WorkspaceInfo workspace() override {
    const WorkspaceConfig& config = connection_.config();
    return {.backend = "azure",
            .name = config.workspace_name,
            .location = connection_.location(),
            .subscription_id = config.subscription_id,
            .resource_group = config.resource_group,
            .id = connection_.id()};
  }

  // Compute ---------------------------------------------------------------------------------------------------------

  std::optional<ComputeStatus> find_compute(const std::string& name) override {
    const rest::Service service = connection_.service();
    const Json found = service.find("get compute " + name, connection_.arm("/computes/" + percent_encode(name)));
    std::optional<ComputeStatus> status;
    if (!found.is_null()) status = compute_status(found);
    const std::scoped_lock lock(creations_mutex_);
    const auto started = creations_.find(name);
    if (started == creations_.end()) return status;
    rest::Operation& creation = started->second;
    if (!creation.done() && creation.is_due()) creation.poll(service);
    if (!creation.done()) {
      if (!status) return ComputeStatus{.name = name, .provisioning_state = "Creating"};
      status->ready = false;
      return status;
    }
    if (creation.state() != rest::Operation::State::succeeded) {
      // The cluster may be gone or look well: what the operation says counts.
      if (!status) status = ComputeStatus{.name = name};
      status->failed = true;
      status->ready = false;
      status->provisioning_state = "Failed";
      const std::string why = (creation.code().empty() ? "" : creation.code() + ": ") + creation.message();
      if (!why.empty() && std::find(status->errors.begin(), status->errors.end(), why) == status->errors.end()) {
        status->errors.insert(status->errors.begin(), why);
      }
      return status;
    }
    creations_.erase(started);
    return status;
  }

  ComputeStatus create_compute(const std::string& name, const ComputeSpec& spec) override {
    const std::string url = connection_.arm("/computes/" + percent_encode(name));
    const http::Response response = connection_.service().send(
        rest::Service::with_json("create compute " + name, "PUT", url, compute_body(spec, connection_.location())));
    rest::Operation creation = rest::Operation::started(response, url);
    ComputeStatus status = compute_status(json::parse_or_null(response.body));
    status.name = name;
    if (!creation.done()) status.ready = false;
    const std::scoped_lock lock(creations_mutex_);
    creations_.insert_or_assign(name, std::move(creation));
    return status;
  }

  std::vector<ComputeStatus> list_computes() override {
    std::vector<ComputeStatus> computes;
    connection_.service().each("list computes", connection_.arm("/computes"), [&](const Json& item) {
      computes.push_back(compute_status(item));
      return true;
    });
    return computes;
  }

  // Runs ------------------------------------------------------------------------------------------------------------

  RunInfo submit(const JobSpec& job, const SubmitOptions& options) override {
    const std::string tried = "submit a run of " + job.entry;
    if (job.compute.empty()) throw ConfigError(tried, "on Azure a run needs a compute target");
    if (job.entry.empty()) throw ConfigError(tried, "it has no entry: the CMake target or the file to run");
    const std::vector<storage::SnapshotFile> files = storage::list_snapshot(job.source_directory);
    const auto has = [&](const std::string& name) {
      return std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.name == name; });
    };
    const bool is_cmake_project = has("CMakeLists.txt");
    if (!is_cmake_project && !has(job.entry)) {
      throw ConfigError(tried,
                        "the source directory " + job.source_directory.string() +
                            " has neither a CMakeLists.txt nor this file, or they are left out by its ignore rules");
    }
    if (!job.dockerfile.empty() && !has(job.dockerfile.generic_string())) {
      throw ConfigError(tried, "the source directory has no file " + job.dockerfile.generic_string());
    }
    const CodeAsset code = upload_code(connection_, storage_folder(job.source_directory), files, options);
    const std::string environment = ensure_environment(connection_, job, code, options);
    const std::string id = new_run_id(job.experiment);
    const Json body = job_body(job, job_command(job, is_cmake_project),
                               connection_.id() + "/computes/" + percent_encode(job.compute), code.id, environment);
    return run_of_job(connection_.service(options.cancel).make(tried, connection_.arm("/jobs/" + id), body));
  }

  RunInfo get_run(const std::string& id) override {
    const std::shared_ptr<Known> known = this->known(id);
    RunInfo run = known->run;
    try {
      add_details(run, known->logs.details());
    } catch (const NotFoundError&) {
      // Run history hears of a job a little later than the resource manager.
      if (!known->is_job) throw;
      run = run_of_job(connection_.service().get("get run " + id, job_url(id)));
    }
    return run;
  }

  /// As Azure's own client: from every 2 s at first to every 60 s; AZUREML_RUN_POLLING_INTERVAL_MIN and _MAX change it.
  std::chrono::milliseconds poll_interval(std::chrono::milliseconds watched) const override {
    const auto seconds = [](const char* name, double fallback) {
      return std::max(0.01, parse_number<double>(env_or(name, "")).value_or(fallback));
    };
    const double low = seconds("AZUREML_RUN_POLLING_INTERVAL_MIN", 2);
    const double high = seconds("AZUREML_RUN_POLLING_INTERVAL_MAX", 60);
    const double time = static_cast<double>(watched.count()) / 1000;
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(1000 * std::max(low, high / (1 + 100 * std::exp(-time / 20)))));
  }

  void cancel_run(const std::string& id) override {
    // The answer may name an operation; the run itself tells how that goes on.
    http::Request request{.tried = "cancel run " + id, .method = "POST", .url = job_url(id, "/cancel")};
    request.repeatable = true;
    rest::check(connection_.service().send(std::move(request)));
  }

  RunPage list_runs(const RunQuery& query) override {
    // A page of ours may end within a page of the service's: the token tells how much of that has been used.
    std::string url = add_query(connection_.arm("/jobs"), "listViewType", "ActiveOnly");
    std::size_t skip = 0;
    if (!query.page_token.empty()) {
      const std::size_t bar = query.page_token.find('|');
      url = query.page_token.substr(std::min(bar, query.page_token.size() - 1) + 1);
      skip = parse_number<std::size_t>(std::string_view(query.page_token).substr(0, bar)).value_or(0);
      if (bar == std::string::npos || !same_origin(Url::parse(url), Url::parse(connection_.arm()))) {
        throw ConfigError("list runs", "this page token is none of this workspace");
      }
    }
    const rest::Service service = connection_.service();
    RunPage result;
    std::set<std::string> seen;
    for (int pages = 0; pages < 1000; ++pages) {
      const rest::Service::Page page = service.page("list runs", url);
      for (std::size_t i = skip; i < page.items.size(); ++i) {
        if (static_cast<int>(result.runs.size()) >= query.max_results) {
          result.next_page_token = std::to_string(i) + "|" + url;
          return result;
        }
        RunInfo run = run_of_job(page.items[i]);
        const bool wanted = (query.experiment.empty() || run.experiment == query.experiment) &&
                            (!query.phase || run.phase == *query.phase);
        if (wanted && seen.insert(run.id).second) result.runs.push_back(std::move(run));
      }
      if (page.next.empty()) return result;
      skip = 0;
      url = page.next;
    }
    throw NetworkError("list runs", "the list does not end");
  }

  std::vector<std::string> list_experiments() override {
    std::vector<std::string> names;
    Json query = Json::object();
    for (int pages = 0; pages < 1000; ++pages) {
      const Json reply =
          connection_.service().post("list experiments", connection_.history("/experiments:query"), query, true);
      for (const Json& item : json::array(reply, {"value"})) names.push_back(json::text(item, {"name"}));
      const std::string token = json::text(reply, {"continuationToken"});
      if (token.empty() || token == json::text(query, {"continuationToken"})) break;
      query["continuationToken"] = token;
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  std::string read_log(const std::string& run_id, const std::string& file, std::uint64_t offset,
                       std::size_t max_bytes) override {
    return known(run_id)->logs.read(file, offset, max_bytes);
  }

  // Artifacts -------------------------------------------------------------------------------------------------------

  std::vector<Artifact> list_artifacts(const std::string& run_id, const std::string& prefix) override {
    return artifacts(run_id).list(prefix);
  }
  void download_artifact(const std::string& run_id, const std::string& path, const std::filesystem::path& to,
                         const Progress& progress) override {
    artifacts(run_id).download(path, to, progress);
  }
  void upload_artifact(const std::string& run_id, const std::string& path, const std::filesystem::path& from,
                       const Progress& progress) override {
    artifacts(run_id).upload(path, from, progress);
  }

  // Tracking --------------------------------------------------------------------------------------------------------

  void log_batch(const std::string& run_id, const Batch& batch) override { mlflow().log_batch(run_id, batch); }
  std::vector<Metric> metrics(const std::string& run_id, const std::string& key) override {
    return mlflow().metrics(run_id, key);
  }
  std::vector<Param> params(const std::string& run_id) override { return mlflow().params(run_id); }
  RunInfo start_run(const std::string& experiment, const std::string& display_name) override {
    const tracking::MlflowClient client = mlflow();
    const Json run = client.create_run(client.experiment_id(experiment), display_name);
    const std::string id = json::text(run, {"info", "run_id"}, json::text(run, {"info", "run_uuid"}));
    {
      const std::scoped_lock lock(mutex_);
      started_.insert(id);
    }
    return get_run(id);
  }
  void end_run(const std::string& run_id, Phase phase, const std::string& error) override {
    {
      const std::scoped_lock lock(mutex_);
      if (started_.erase(run_id) == 0) return;  // a job's exit code tells; a run that others started is theirs to end
    }
    const tracking::MlflowClient client = mlflow();
    if (!error.empty()) client.log_batch(run_id, {.tags = {{"cloud.error", error.substr(0, 5000)}}});
    client.end_run(run_id, phase == Phase::completed ? "FINISHED" : phase == Phase::canceled ? "KILLED" : "FAILED");
  }

  // Models ----------------------------------------------------------------------------------------------------------

  ModelInfo register_model(const ModelSpec& spec) override { return Models(connection_).add(spec); }
  std::vector<ModelInfo> list_models(const std::string& name) override { return Models(connection_).list(name); }
  ModelInfo get_model(const std::string& name, int version) override { return Models(connection_).get(name, version); }
  std::vector<std::filesystem::path> download_model(const ModelInfo& model, const std::filesystem::path& folder,
                                                    const Progress& progress) override {
    return Models(connection_).download(model, folder, progress);
  }

 private:
  // What does not change about a run, and how far its logs were read.
  struct Known {
    Known(RunInfo info, bool job, Connection& connection)
        : run(std::move(info)), is_job(job), logs(connection, run.id) {}
    RunInfo run;
    bool is_job;  // and not only a run that somebody has logged
    RunLogs logs;
  };

  std::string job_url(const std::string& id, const std::string& rest = {}) const {
    return connection_.arm("/jobs/" + percent_encode(id) + rest);
  }

  std::shared_ptr<Known> known(const std::string& id) {
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = known_.find(id); found != known_.end()) return found->second;
    }
    const rest::Service service = connection_.service();
    const std::string tried = "get run " + id;
    const Json job = service.find(tried, job_url(id));
    // A run that somebody has logged without a job is known to run history only.
    RunInfo run = !job.is_null()
                      ? run_of_job(job)
                      : run_of_history(service.get(tried, connection_.history("/runs/" + percent_encode(id))));
    run.id = id;
    const std::scoped_lock lock(mutex_);
    return known_.try_emplace(id, std::make_shared<Known>(std::move(run), !job.is_null(), connection_)).first->second;
  }

  tracking::MlflowClient mlflow() { return {connection_.service(), connection_.mlflow()}; }

  Artifacts artifacts(const std::string& run_id) { return {connection_.service(), connection_.artifact(""), run_id}; }

  Connection connection_;
  std::mutex creations_mutex_;
  std::map<std::string, rest::Operation> creations_;  // that are not known to have ended well
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Known>> known_;
  std::set<std::string> started_;  // by start_run, and not ended yet
};

/// The backend of Workspace. Nothing is asked yet: a workspace that is not there shows at the first use.
inline std::shared_ptr<Backend> connect(const WorkspaceConfig& config) {
  return std::make_shared<AzureBackend>(config);
}

}  // namespace cloud::azure
