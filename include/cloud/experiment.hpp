/// A name under which runs belong together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/estimator.hpp"
#include "cloud/run.hpp"
#include "cloud/workspace.hpp"

namespace cloud {

///     cloud::Experiment experiment{ws, "chainer-mnist"};
///     auto run = experiment.submit(estimator);
class Experiment {
 public:
  Experiment(Workspace workspace, std::string name) : workspace_(std::move(workspace)), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  const Workspace& workspace() const { return workspace_; }

  /// Takes the snapshot and starts the run; returns while it runs, whatever becomes of this process.
  Run submit(const Estimator& estimator, const SubmitOptions& options = {}) const {
    return Run(workspace_.shared_backend(), workspace_.backend().submit(estimator.job(name_), options).id);
  }

  /// Makes this program itself a run: log to it, then complete() or fail() it.
  Run start_logging(const std::string& display_name = {}) const {
    return Run(workspace_.shared_backend(), workspace_.backend().start_run(name_, display_name).id);
  }

  /// All runs, newest first; at most `limit`.
  std::vector<RunInfo> runs(std::size_t limit = 1000) const {
    std::vector<RunInfo> all;
    RunQuery query{.experiment = name_};
    do {
      RunPage page = workspace_.backend().list_runs(query);
      for (RunInfo& run : page.runs) {
        if (all.size() == limit) return all;
        all.push_back(std::move(run));
      }
      query.page_token = page.next_page_token;
    } while (!query.page_token.empty());
    return all;
  }

 private:
  Workspace workspace_;
  std::string name_;
};

}  // namespace cloud
