/// AmlCompute clusters.
#pragma once

#include <string>
#include <utility>

#include "cloud/backend/backend.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/json/json.hpp"
#include "cloud/rest/error.hpp"

namespace cloud::azure {

inline Json compute_body(const ComputeSpec& spec, const std::string& location) {
  Json properties{{"computeType", "AmlCompute"},
                  {"properties",
                   {{"vmSize", spec.vm_size},
                    {"vmPriority", spec.low_priority ? "LowPriority" : "Dedicated"},
                    {"osType", "Linux"},
                    {"remoteLoginPortPublicAccess", "NotSpecified"},
                    {"scaleSettings",
                     {{"minNodeCount", spec.min_nodes},
                      {"maxNodeCount", spec.max_nodes},
                      {"nodeIdleTimeBeforeScaleDown", iso8601_duration(spec.idle_before_scale_down)}}}}}};
  if (!spec.description.empty()) properties["description"] = spec.description;
  return {{"location", location}, {"properties", std::move(properties)}};
}

/// `PT120S`, `PT2M`, `P1DT3H`; 0 for what is no duration of days and smaller parts.
inline std::chrono::seconds read_duration(std::string_view text) {
  std::int64_t seconds = 0;
  double number = 0;
  std::string digits;
  if (text.substr(0, 1) != "P") return std::chrono::seconds(0);
  for (const char c : text.substr(1)) {
    if ((c >= '0' && c <= '9') || c == '.') {
      digits += c;
      continue;
    }
    number = parse_number<double>(digits).value_or(0);
    digits.clear();
    const int unit = c == 'D' ? 86400 : c == 'H' ? 3600 : c == 'M' ? 60 : c == 'S' ? 1 : 0;
    seconds += static_cast<std::int64_t>(number * unit);
  }
  return std::chrono::seconds(seconds);
}

inline ComputeStatus compute_status(const Json& compute) {
  const Json& properties = json::at(compute, {"properties"});
  const Json& aml = json::at(properties, {"properties"});
  const auto number = [&](json::Path path) { return static_cast<int>(json::integer(aml, path)); };
  ComputeStatus status{.name = json::text(compute, {"name"})};
  status.spec = {
      .vm_size = json::text(aml, {"vmSize"}),
      .min_nodes = number({"scaleSettings", "minNodeCount"}),
      .max_nodes = number({"scaleSettings", "maxNodeCount"}),
      .low_priority = equal_ignoring_case(json::text(aml, {"vmPriority"}), "LowPriority"),
      .idle_before_scale_down = read_duration(json::text(aml, {"scaleSettings", "nodeIdleTimeBeforeScaleDown"})),
      .description = json::text(properties, {"description"})};
  status.provisioning_state = json::text(properties, {"provisioningState"});
  status.allocation_state = json::text(aml, {"allocationState"});
  status.current_nodes = number({"currentNodeCount"});
  status.target_nodes = number({"targetNodeCount"});
  for (const char* state : {"idle", "running", "preparing", "unusable", "leaving", "preempted"}) {
    status.node_states[state] = number({"nodeStateCounts", std::string(state) + "NodeCount"});
  }
  for (const Json* errors : {&json::array(properties, {"provisioningErrors"}), &json::array(aml, {"errors"})}) {
    for (const Json& item : *errors) {
      const Json& error = json::at(item, {"error"}).is_object() ? json::at(item, {"error"}) : item;
      const std::string code = json::text(error, {"code"});
      const std::string text = (code.empty() ? "" : code + ": ") + rest::message_of(error);
      if (!text.empty()) status.errors.push_back(rest::presentable(text));
    }
  }
  const bool steady = equal_ignoring_case(status.allocation_state, "Steady") || status.allocation_state.empty();
  const bool enough = status.current_nodes >= status.spec.min_nodes;
  status.ready = equal_ignoring_case(status.provisioning_state, "Succeeded") && steady && enough;
  status.failed = equal_ignoring_case(status.provisioning_state, "Failed") ||
                  equal_ignoring_case(status.provisioning_state, "Canceled") ||
                  // Nodes were asked for, refused, and nobody is trying any more.
                  (!status.ready && steady && !enough && !status.errors.empty());
  return status;
}

}  // namespace cloud::azure
