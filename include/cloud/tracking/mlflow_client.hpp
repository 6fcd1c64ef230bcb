/// MLflow's REST interface, as a plain MLflow server and Azure's endpoint have it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/url.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/service.hpp"
#include "cloud/tracking/batch.hpp"

namespace cloud::tracking {

/// The calls for experiments, runs, metrics, params, tags, lists of files and models. Thread-safe as the service is.
class MlflowClient {
 public:
  /// `tracking_uri`: http(s)://…, without `/api/2.0/mlflow`.
  MlflowClient(rest::Service service, std::string tracking_uri)
      : service_(std::move(service)), base_(std::move(tracking_uri)) {
    while (!base_.empty() && base_.back() == '/') base_.pop_back();
    base_ += "/api/2.0/mlflow/";
  }

  /// The id of the experiment of that name, which is made when there is none.
  std::string experiment_id(const std::string& name) const {
    const std::string tried = "get experiment " + name;
    const std::string by_name = add_query(base_ + "experiments/get-by-name", "experiment_name", name);
    const Json found = service_.find(tried, by_name);
    if (!found.is_null()) return json::text(found, {"experiment", "experiment_id"});
    try {
      return json::text(service_.post(tried, base_ + "experiments/create", {{"name", name}}, false), {"experiment_id"});
    } catch (const Error& error) {
      if (error.code() != "RESOURCE_ALREADY_EXISTS") throw;  // somebody else was faster
      return json::text(service_.get(tried, by_name), {"experiment", "experiment_id"});
    }
  }

  std::string experiment_name(const std::string& id) const {
    return json::text(service_.get("get experiment " + id, add_query(base_ + "experiments/get", "experiment_id", id)),
                      {"experiment", "name"});
  }

  /// `run` of a run that has just been started: `info`, `data`.
  Json create_run(const std::string& experiment_id, const std::string& name) const {
    Json body{{"experiment_id", experiment_id}, {"start_time", now_ms()}};
    if (!name.empty()) body["run_name"] = name;
    return json::at(service_.post("start a run", base_ + "runs/create", body, false), {"run"});
  }
  Json get_run(const std::string& run_id) const {
    return json::at(service_.get("get run " + run_id, add_query(base_ + "runs/get", "run_id", run_id)), {"run"});
  }
  /// `status`: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
  void end_run(const std::string& run_id, const std::string& status) const {
    service_.post("end run " + run_id, base_ + "runs/update",
                  {{"run_id", run_id}, {"status", status}, {"end_time", now_ms()}}, true);
  }

  /// Stores a batch, in as many requests as the limits demand: 1000 items, of them 100 params and 100 tags, and 1 MB.
  /// Repeated when a reply is lost, as MLflow's own client does: a point may then be stored twice. Throws ConflictError
  /// for a param that has another value already.
  void log_batch(const std::string& run_id, const Batch& batch) const {
    Request request(run_id);
    for (const Param& param : batch.params) {
      add(request, "params", {{"key", param.key}, {"value", param.value}}, 100);
    }
    for (const Tag& tag : batch.tags) add(request, "tags", {{"key", tag.key}, {"value", tag.value}}, 100);
    for (const Metric& metric : batch.metrics) {
      add(request, "metrics",
          {{"key", metric.key},
           {"value", json::number_value(metric.value)},
           {"timestamp", metric.timestamp},
           {"step", metric.step}},
          1000);
    }
    send(request);
  }

  /// Every point of one series, or of all (then in order of time).
  std::vector<Metric> metrics(const std::string& run_id, const std::string& key) const {
    if (!key.empty()) return history(run_id, key);
    std::vector<Metric> all;
    const Json run = get_run(run_id);
    for (const Json& latest : json::array(run, {"data", "metrics"})) {
      const std::vector<Metric> series = history(run_id, json::text(latest, {"key"}));
      all.insert(all.end(), series.begin(), series.end());
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Metric& a, const Metric& b) { return a.timestamp < b.timestamp; });
    return all;
  }

  /// Every file of the run, as `files[]` of the service; folders are walked through, at most 20 deep.
  std::vector<Json> files(const std::string& run_id, const std::string& folder = {}, int depth = 0) const {
    const std::string tried = "list the files of run " + run_id;
    std::string first = add_query(base_ + "artifacts/list", "run_id", run_id);
    if (!folder.empty()) first = add_query(first, "path", folder);
    std::vector<Json> found;
    std::string token;
    do {
      const Json page = service_.get(tried, token.empty() ? first : add_query(first, "page_token", token));
      for (const Json& file : json::array(page, {"files"})) {
        if (!json::boolean(file, {"is_dir"})) {
          found.push_back(file);
        } else if (depth < 20) {
          for (Json& below : files(run_id, json::text(file, {"path"}), depth + 1)) found.push_back(std::move(below));
        }
      }
      const std::string next = json::text(page, {"next_page_token"});
      if (!next.empty() && next == token) throw NetworkError(tried, "the pages lead in a circle");
      token = next;
    } while (!token.empty());
    return found;
  }

  /// The next version of the registered model `name`, which is made when there is none. `tags` as of json::text_map.
  Json create_model_version(const std::string& name, const std::string& source, const std::string& run_id,
                            const std::string& description, const std::map<std::string, std::string>& tags) const {
    const std::string tried = "register model " + name;
    try {
      service_.post(tried, base_ + "registered-models/create", {{"name", name}}, true);
    } catch (const Error& error) {
      if (error.code() != "RESOURCE_ALREADY_EXISTS") throw;
    }
    Json body{{"name", name}, {"source", source}, {"run_id", run_id}, {"description", description}};
    body["tags"] = Json::array();
    for (const auto& [key, value] : tags) body["tags"].push_back({{"key", key}, {"value", value}});
    return json::at(service_.post(tried, base_ + "model-versions/create", body, false), {"model_version"});
  }
  /// Every version of that model, or of all models.
  std::vector<Json> model_versions(const std::string& name) const {
    const std::string tried = "list models";
    std::string first = add_query(base_ + "model-versions/search", "max_results", "1000");
    if (name.find('\'') != std::string::npos) throw ConfigError(tried, "the name of a model holds no quotation mark");
    if (!name.empty()) first = add_query(first, "filter", "name='" + name + "'");
    std::vector<Json> found;
    std::string token;
    do {
      const Json page = service_.get(tried, token.empty() ? first : add_query(first, "page_token", token));
      for (const Json& version : json::array(page, {"model_versions"})) found.push_back(version);
      const std::string next = json::text(page, {"next_page_token"});
      if (!next.empty() && next == token) throw NetworkError(tried, "the pages lead in a circle");
      token = next;
    } while (!token.empty());
    return found;
  }

  std::vector<Param> params(const std::string& run_id) const {
    std::vector<Param> params;
    const Json run = get_run(run_id);
    for (const Json& param : json::array(run, {"data", "params"})) {
      params.push_back({json::text(param, {"key"}), json::text(param, {"value"})});
    }
    return params;
  }

 private:
  struct Request {
    explicit Request(std::string run_id) : run(std::move(run_id)) {}
    std::string run;
    Json lists = Json::object();
    std::size_t items = 0;
    std::size_t bytes = 0;
  };

  void add(Request& request, const char* list, const Json& item, std::size_t most) const {
    const std::size_t size = json::dump(item).size() + 1;
    if (request.items == 1000 || request.lists[list].size() == most || request.bytes + size > 900'000) send(request);
    request.lists[list].push_back(item);
    ++request.items;
    request.bytes += size;
  }

  void send(Request& request) const {
    if (request.items == 0) return;
    Json body{{"run_id", request.run}};
    for (auto list = request.lists.begin(); list != request.lists.end(); ++list) {
      if (!list->empty()) body[list.key()] = *list;
    }
    try {
      service_.post("log to run " + request.run, base_ + "runs/log-batch", body, true);
    } catch (const Error& error) {
      if (error.details().message.find("Changing param values") == std::string::npos) throw;
      throw ConflictError(error.details());
    }
    request = Request(request.run);
  }

  std::vector<Metric> history(const std::string& run_id, const std::string& key) const {
    std::vector<Metric> series;
    const std::string first = add_query(add_query(base_ + "metrics/get-history", "run_id", run_id), "metric_key", key);
    std::string token;
    do {
      const Json page = service_.get("get the metrics of run " + run_id,
                                     token.empty() ? first : add_query(first, "page_token", token));
      for (const Json& point : json::array(page, {"metrics"})) {
        series.push_back({json::text(point, {"key"}, key), json::number(point, {"value"}),
                          json::integer(point, {"timestamp"}), json::integer(point, {"step"})});
      }
      const std::string next = json::text(page, {"next_page_token"});
      if (!next.empty() && next == token)
        throw NetworkError("get the metrics of run " + run_id, "the pages lead in a circle");
      token = next;
    } while (!token.empty());
    return series;
  }

  rest::Service service_;
  std::string base_;
};

}  // namespace cloud::tracking
