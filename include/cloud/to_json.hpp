/// Runs, metrics, files, models and computes as JSON objects, for programs: times as RFC 3339, what is not known left
/// out.
#pragma once

#include "cloud/backend/backend.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/json/json.hpp"

namespace cloud {

inline Json to_json(const RunInfo& run) {
  Json value{{"id", run.id},
             {"experiment", run.experiment},
             {"displayName", run.display_name},
             {"phase", phase_name(run.phase)},
             {"status", run.status},
             {"compute", run.compute},
             {"tags", json::object(run.tags)},
             {"properties", json::object(run.properties)},
             {"logFiles", run.log_files}};
  if (run.created != 0) value["created"] = rfc3339(run.created);
  if (run.started != 0) value["started"] = rfc3339(run.started);
  if (run.ended != 0) value["ended"] = rfc3339(run.ended);
  if (run.exit_code) value["exitCode"] = *run.exit_code;
  if (!run.error.empty()) value["error"] = run.error;
  if (!run.warnings.empty()) value["warnings"] = run.warnings;
  if (!run.web_url.empty()) value["webUrl"] = run.web_url;
  return value;
}
inline Json to_json(const Metric& metric) {
  return {{"key", metric.key},
          {"value", json::number_value(metric.value)},
          {"step", metric.step},
          {"timestamp", rfc3339(metric.timestamp)}};
}
inline Json to_json(const Artifact& artifact) {
  Json value{{"path", artifact.path}};
  if (artifact.size) value["size"] = *artifact.size;
  return value;
}

inline Json to_json(const ModelInfo& model) {
  Json value{{"name", model.name}, {"version", model.version},         {"runId", model.run_id},
             {"path", model.path}, {"description", model.description}, {"tags", json::object(model.tags)}};
  if (model.created != 0) value["created"] = rfc3339(model.created);
  if (!model.sha256.empty()) value["sha256"] = model.sha256;
  if (model.size) value["size"] = *model.size;
  return value;
}

inline Json to_json(const ComputeStatus& status) {
  Json states = Json::object();
  for (const auto& [state, count] : status.node_states) states[state] = count;
  return {{"name", status.name},
          {"vmSize", status.spec.vm_size},
          {"minNodeCount", status.spec.min_nodes},
          {"maxNodeCount", status.spec.max_nodes},
          {"provisioningState", status.provisioning_state},
          {"allocationState", status.allocation_state},
          {"currentNodeCount", status.current_nodes},
          {"targetNodeCount", status.target_nodes},
          {"nodeStateCounts", states},
          {"errors", status.errors}};
}

}  // namespace cloud
