#include "cloud/run.hpp"

#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cloud/experiment.hpp"

using namespace cloud;
using namespace std::chrono_literals;

namespace {

// A backend that plays a script: each look at the run is one step further.
struct Script : Backend {
  struct Step {
    Phase phase;
    std::string build{};
    std::string log{};
    bool has_log = false;
  };
  std::vector<Step> steps;
  RunInfo base{.id = "r1"};
  std::size_t at = 0;
  std::size_t bytes_read = 0;

  WorkspaceInfo workspace() override { return {.backend = "script"}; }
  std::chrono::milliseconds poll_interval(std::chrono::milliseconds) const override { return 1ms; }
  RunInfo get_run(const std::string&) override {
    const Step& step = steps[std::min(at++, steps.size() - 1)];
    RunInfo run = base;
    run.phase = step.phase;
    if (!step.build.empty()) run.log_files.emplace_back("system_logs/build.log");
    if (step.has_log || !step.log.empty()) run.log_files.emplace_back("user_logs/std_log.txt");
    return run;
  }
  std::string read_log(const std::string&, const std::string& file, std::uint64_t offset,
                       std::size_t max_bytes) override {
    const Step& step = steps[std::min(at - 1, steps.size() - 1)];
    const std::string& text = file.starts_with("system") ? step.build : step.log;
    const std::string piece = offset < text.size() ? text.substr(offset, std::min<std::size_t>(max_bytes, 5)) : "";
    bytes_read += piece.size();
    return piece;
  }
};

std::string shown(const std::shared_ptr<Script>& backend, const WaitOptions& with = {}) {
  std::string text;
  WaitOptions options = with;
  options.show_output = true;
  options.raise_on_error = false;
  options.output = [&](std::string_view more) { text += more; };
  Run(backend, "r1").wait_for_completion(options);
  return text;
}

}  // namespace

TEST_CASE("phases are shown in order and log lines once each", "[cloud][run]") {
  auto backend = std::make_shared<Script>();
  backend->steps = {{Phase::preparing},
                    {Phase::preparing, "conf"},
                    {Phase::preparing, "configure\nbui"},
                    {Phase::scaling, "configure\nbuild"},
                    {Phase::running, "configure\nbuild", "", true},
                    {Phase::running, "configure\nbuild", "one\ntw"},
                    {Phase::running, "configure\nbuild", "one\ntwo\nthree\nfo"},
                    {Phase::post_processing, "configure\nbuild", "one\ntwo\nthree\nfour"},
                    {Phase::completed, "configure\nbuild", "one\ntwo\nthree\nfour"}};
  backend->base.exit_code = 0;
  CHECK(shown(backend) ==
        "RunId: r1\n\n== Preparing\nconfigure\nbuild\n\n== Scaling\n\n== Running\none\ntwo\nthree\nfour\n\n== "
        "Post-processing\n"
        "\nCompleted, exit code 0\n");
  // Nothing was read twice.
  CHECK(backend->bytes_read == std::string("configure\nbuildone\ntwo\nthree\nfour").size());
}

TEST_CASE("a run that is looked at late shows the same", "[cloud][run]") {
  auto backend = std::make_shared<Script>();
  backend->steps = {{Phase::completed, "build\n", "one\ntwo\n"}};
  backend->base.started = 1;
  backend->base.web_url = "https://studio/r1";
  backend->base.created = 1000;
  backend->base.ended = 13300;
  CHECK(shown(backend) ==
        "RunId: r1\nWeb View: https://studio/r1\n\n== Preparing\nbuild\n\n== Scaling\n\n== Running\none\ntwo\n\n== "
        "Post-processing\n"
        "\nCompleted after 12.3 s\n");
}

TEST_CASE("a run that fails while it is prepared shows no phase it never had", "[cloud][run]") {
  auto backend = std::make_shared<Script>();
  backend->steps = {{Phase::failed, "error\n"}};
  backend->base.error = "cmake";
  backend->base.warnings = {"careful"};
  CHECK(shown(backend) == "RunId: r1\n\n== Preparing\nerror\n\nFailed\nWarning: careful\nError: cmake\n");
}

TEST_CASE("waiting throws what became of the run", "[cloud][run]") {
  auto backend = std::make_shared<Script>();
  backend->steps = {{Phase::failed}};
  backend->base.error = "cmake";
  const Run run(backend, "r1");
  CHECK_THROWS_WITH(run.wait_for_completion(), "[run r1] cmake");
  CHECK_THROWS_AS(run.wait_for_completion(), RunFailedError);
  CHECK(run.wait_for_completion({.raise_on_error = false}).phase == Phase::failed);
  backend->steps = {{Phase::canceled}};
  CHECK_THROWS_AS(run.wait_for_completion(), CanceledError);
  backend->steps = {{Phase::running}};
  CHECK_THROWS_AS(run.wait_for_completion({.timeout = 1s}), TimeoutError);
  CancelToken cancel;
  cancel.cancel();
  CHECK_THROWS_AS(run.wait_for_completion({.cancel = cancel}), CanceledError);
  CHECK_THROWS_AS(run.cancel(), UnsupportedError);
  CHECK_THROWS_AS(run.file_names(), UnsupportedError);
}

TEST_CASE("an estimator turns its parameters into arguments, each one whole", "[cloud][estimator]") {
  const Estimator estimator{{.source_directory = "src",
                             .entry = "train",
                             .script_params = {{"--epochs", 10},
                                               {"--lr", 0.01},
                                               {"--name", "a b"},
                                               {"--text", std::string("x;y")},
                                               {"--on", true},
                                               {"--flag"},
                                               {"--empty", ""}},
                             .compute_target = "cluster",
                             .use_gpu = true}};
  const JobSpec job = estimator.job("exp");
  CHECK(job.experiment == "exp");
  CHECK(job.display_name == "exp");
  CHECK(job.compute == "cluster");
  CHECK(job.use_gpu);
  CHECK(job.arguments == std::vector<std::string>{"--epochs", "10", "--lr", "0.01", "--name", "a b", "--text", "x;y",
                                                  "--on", "true", "--flag", "--empty", ""});
}

TEST_CASE("phase names read back", "[cloud][run]") {
  for (const Phase phase : {Phase::preparing, Phase::scaling, Phase::running, Phase::post_processing, Phase::completed,
                            Phase::failed, Phase::canceled}) {
    CHECK(phase_from(phase_name(phase)) == phase);
  }
  CHECK_THROWS_AS(phase_from("running"), Error);
}
