/// A cluster to run on; in a local workspace, a number of runs that may run at once.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "cloud/backend/backend.hpp"
#include "cloud/core/cancel.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/output.hpp"
#include "cloud/workspace.hpp"

namespace cloud {

struct ComputeWaitOptions {
  bool show_output = false;
  std::chrono::seconds timeout{1200};
  std::chrono::milliseconds poll{5000};  // between two looks
  Output output = print;
  CancelToken cancel{};
};

class ComputeTarget {
 public:
  /// An existing one; throws NotFoundError.
  ComputeTarget(Workspace workspace, std::string name) : workspace_(std::move(workspace)), name_(std::move(name)) {
    status();
  }

  /// Finds the compute, or starts to create it, saying which: `Found existing compute target.` or
  /// `Creating a new compute target...`. Wait with wait_for_completion.
  static ComputeTarget get_or_create(const Workspace& workspace, const std::string& name, const ComputeSpec& spec = {},
                                     const Output& output = print) {
    if (workspace.backend().find_compute(name)) {
      output("Found existing compute target.\n");
    } else {
      output("Creating a new compute target...\n");
      try {
        workspace.backend().create_compute(name, spec);
      } catch (const ConflictError&) {
        if (!workspace.backend().find_compute(name)) throw;  // else somebody is creating it at this moment
      }
    }
    return ComputeTarget(workspace, name);
  }

  const std::string& name() const { return name_; }

  /// As it is now.
  ComputeStatus status() const {
    auto found = workspace_.backend().find_compute(name_);
    if (!found) throw NotFoundError("get compute " + name_, "there is no such compute in this workspace");
    return *found;
  }

  /// Waits until jobs can be submitted and the minimum of nodes is there. Shows each change of state once. Throws Error
  /// with the service's own words when it cannot be provisioned, TimeoutError.
  ComputeStatus wait_for_completion(const ComputeWaitOptions& options = {}) const {
    const std::string tried = "provision compute " + name_;
    const Milliseconds begin = now_ms();
    std::string shown;
    for (;;) {
      const ComputeStatus now = status();
      const std::string line =
          now.provisioning_state + (now.allocation_state.empty() ? "" : ", " + now.allocation_state) + ", " +
          std::to_string(now.current_nodes) + " of " + std::to_string(now.target_nodes) + " nodes\n";
      if (options.show_output && line != shown) options.output(shown = line);
      if (now.failed) {
        std::string why;
        for (const std::string& error : now.errors) why += (why.empty() ? "" : "; ") + error;
        throw Error(tried, why.empty() ? "it ended as " + now.provisioning_state : why);
      }
      if (now.ready) {
        if (options.show_output) options.output("Provisioning operation finished, operation \"Succeeded\"\n");
        return now;
      }
      if (now_ms() - begin > std::chrono::milliseconds(options.timeout).count()) {
        throw TimeoutError(tried, "it was not ready after " + duration_text(now_ms() - begin));
      }
      if (!options.cancel.sleep_for(options.poll)) options.cancel.check(tried);
    }
  }

 private:
  Workspace workspace_;
  std::string name_;
};

}  // namespace cloud
