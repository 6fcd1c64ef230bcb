#include "cloud/backend/azure/azure_backend.hpp"

#include <chrono>
#include <cmath>
#include <set>
#include <string>
#include <thread>

#include "catch.hpp"
#include "cloud/standin.hpp"

using namespace cloud;
using namespace cloud::test;

TEST_CASE("the whole article runs against the stand-in without a complaint", "[cloud][azure]") {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"--split-hosts", "--extra-fields", "--null-nextlink"},
      {"--compute-put-status", "200", "--int64", "string", "--model-uri", "asis"},
      {"--no-exec-bit", "--sas-create-only"}};
  for (const auto& options : variants) {
    const StandIn standin(options);
    if (!standin) return;
    const Folder source;
    const Folder target;
    const JobSpec job = script_job(source);
    const RunInfo run = whole_article(standin, job, target);
    CHECK(run.experiment == "chainer-mnist");
    CHECK(run.compute == "gpu-cluster");
    CHECK(run.started > 0);
    CHECK(run.ended >= run.started);
    Follower log;
    log.read(*standin.backend, run, "user_logs/std_log.txt");
    // Arguments come through as they are, and nobody's shell has seen them.
    CHECK(log.text.starts_with("args: --epochs 10 it's; $HOME ${{x}} $[[y]] \n"));

    std::vector<std::string> names;
    for (const Artifact& artifact : standin.backend->list_artifacts(run.id, "outputs/")) names.push_back(artifact.path);
    CHECK(names == std::vector<std::string>{"outputs/model.npz", "outputs/nested/more.bin"});

    // The same sources again: nothing is uploaded, and the second version is registered.
    const std::size_t uploads = standin.server->requests("/train.sh$").size();
    const RunInfo again = wait_for(*standin.backend, standin.backend->submit(job, {}).id);
    CHECK(again.status == "Completed");
    CHECK(standin.server->requests("/train.sh$").size() == uploads);
    CHECK(
        standin.backend->register_model({.name = "chainer-dnn-mnist", .run_id = again.id, .path = "outputs"}).version ==
        2);
    const std::vector<ModelInfo> models = standin.backend->list_models("chainer-dnn-mnist");
    REQUIRE(models.size() == 2);
    CHECK(models[0].version == 2);
    CHECK(models[1].tags.at("a") == "b");
    REQUIRE(standin.backend->list_models("").size() == 1);
    CHECK(standin.backend->list_models("")[0].version == 2);
    CHECK(standin.backend->download_model(models[0], target.path / "folder", nullptr).size() == 2);
    CHECK(read_file(target.path / "folder/nested/more.bin") == "more");

    const RunPage page = standin.backend->list_runs({.max_results = 1});
    REQUIRE(page.runs.size() == 1);
    CHECK(page.runs[0].id == again.id);
    const RunPage second = standin.backend->list_runs({.max_results = 1, .page_token = page.next_page_token});
    REQUIRE(second.runs.size() == 1);
    CHECK(second.runs[0].id == run.id);
    CHECK(standin.backend->list_runs({.experiment = "none"}).runs.empty());
    CHECK(standin.backend->list_experiments() == std::vector<std::string>{"chainer-mnist"});
    CHECK(standin.backend->list_computes().size() == 1);
    CHECK(standin.server->complaints() == "");
  }
}

TEST_CASE("every sample scenario of the stand-in ends as its description demands", "[cloud][azure]") {
  StandIn standin({"--retry-after", "1"});
  if (!standin) return;
  const fs::path folder = standin.server->folder / "scenarios";
  for (const auto& entry : fs::directory_iterator(folder)) {
    INFO(entry.path().string());
    const Json scenario = json::parse("read a scenario", read_file(entry.path()));
    standin.server->admin("POST", "reset");
    standin.server->admin("POST", "scenario", scenario);
    standin.connect();
    const Folder source;
    const Folder target;
    if (entry.path().stem() == "lro-failed") {
      CHECK_THROWS_WITH(whole_article(standin, script_job(source), target),
                        Catch::Matchers::ContainsSubstring("ClusterCoreQuotaReached") &&
                            Catch::Matchers::ContainsSubstring("Maximum allowed: 10."));
    } else {
      whole_article(standin, script_job(source), target);
    }
    CHECK(json::boolean(standin.server->admin("GET", "expect"), {"ok"}));
    const Json loaded = standin.server->admin("GET", "scenario");
    for (const Json& rule : json::array(loaded, {"rules"})) CHECK(json::integer(rule, {"fired"}) >= 1);
    CHECK(standin.server->complaints() == "");
  }
}

TEST_CASE("a cluster that cannot be made says why", "[cloud][azure]") {
  for (const std::string status : {"200", "201"}) {
    const StandIn standin({"--compute-put-status", status});
    if (!standin) return;
    CHECK(standin.backend->find_compute("absent") == std::nullopt);
    CHECK_THROWS_WITH(standin.backend->create_compute("old", {.vm_size = "STANDARD_NC6"}),
                      Catch::Matchers::ContainsSubstring("retired"));
    standin.server->scenario({{{"method", "PUT"},
                               {"path", "/computes/"},
                               {"action", {{"type", "lro_fail"}, {"code", "Quota"}, {"message", "no more cores"}}}}});
    CHECK_FALSE(standin.backend->create_compute("gpu-cluster", {.vm_size = "Standard_NC4as_T4_v3"}).ready);
    CHECK_THROWS_WITH(wait_for_compute(*standin.backend, "gpu-cluster"),
                      Catch::Matchers::ContainsSubstring("no more cores"));
    const auto failed = standin.backend->find_compute("gpu-cluster");
    REQUIRE(failed);
    CHECK(failed->failed);
    CHECK_FALSE(failed->ready);
    CHECK(failed->provisioning_state == "Failed");
    CHECK(standin.server->complaints() == "");
  }
}

TEST_CASE("a cluster with a minimum of nodes is ready when they are there", "[cloud][azure]") {
  const StandIn standin;
  if (!standin) return;
  standin.backend->create_compute("two", {.vm_size = "Standard_DS3_v2",
                                          .min_nodes = 2,
                                          .max_nodes = 3,
                                          .low_priority = true,
                                          .idle_before_scale_down = std::chrono::seconds(90),
                                          .description = "for tests"});
  wait_for_compute(*standin.backend, "two");
  const ComputeStatus status = standin.backend->find_compute("two").value();
  CHECK(status.current_nodes >= 2);
  CHECK(status.spec.vm_size == "Standard_DS3_v2");
  CHECK(status.spec.min_nodes == 2);
  CHECK(status.spec.max_nodes == 3);
  CHECK(status.spec.low_priority);
  CHECK(status.spec.idle_before_scale_down == std::chrono::seconds(90));
  CHECK(status.spec.description == "for tests");
  CHECK(status.node_states.at("idle") == 2);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("a run's log is followed through faults, each byte once, and is not fetched again", "[cloud][azure]") {
  const StandIn standin({"--log-ms", "20"}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("talk.sh",
               "#!/bin/sh\nfor i in $(seq 1 150); do for k in 1 2 3 4 5 6 7 8 9; do\n"
               "echo \"$i $k some text that makes the log longer than a few bytes\"; done; sleep 0.01; done\n");
  JobSpec job{.experiment = "logs", .source_directory = source.path, .entry = "talk.sh", .compute = "gpu-cluster"};
  std::string expected;
  for (int i = 1; i <= 150; ++i) {
    for (int k = 1; k <= 9; ++k) {
      expected +=
          std::to_string(i) + " " + std::to_string(k) + " some text that makes the log longer than a few bytes\n";
    }
  }
  const std::string kLog = "std_log";
  standin.server->scenario(
      {{{"path", kLog}, {"area", "blob"}, {"after", 3}, {"action", {{"type", "drop"}}}},
       {{"path", kLog}, {"area", "blob"}, {"after", 4}, {"action", {{"type", "drop"}, {"after_bytes", 900}}}},
       {{"path", kLog}, {"area", "blob"}, {"after", 5}, {"action", {{"type", "status"}, {"status", 503}}}},
       {{"path", kLog}, {"area", "blob"}, {"after", 6}, {"action", {{"type", "expire_sas"}}}},
       {{"path", kLog}, {"area", "blob"}, {"after", 7}, {"action", {{"type", "truncate"}, {"bytes", 70}}}},
       {{"path", "/details$"}, {"after", 4}, {"action", {{"type", "expire_tokens"}}}},
       {{"path", "/details$"},
        {"after", 5},
        {"action", {{"type", "status"}, {"status", 502}, {"body", "<html>bad gateway</html>"}}}}});
  Follower log;
  RunInfo run = standin.backend->submit(job, {});
  std::set<Phase> phases;
  do {
    run = standin.backend->get_run(run.id);
    phases.insert(run.phase);
    for (const std::string& file : run.log_files) log.read(*standin.backend, run, file);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  } while (!is_terminal(run.phase));
  for (const std::string& file : run.log_files) log.read(*standin.backend, run, file);
  CHECK(run.log_files == std::vector<std::string>{"user_logs/std_log.txt"});
  CHECK(run.status == "Completed");
  CHECK(log.text == expected);
  CHECK(phases.count(Phase::running) == 1);
  std::int64_t bytes = 0;
  for (const Json& request : standin.server->requests(kLog)) bytes += json::integer(request, {"response_bytes"});
  CHECK(bytes < static_cast<std::int64_t>(expected.size() * 3 / 2));
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("a preempted run starts over and its new log is shown from its start", "[cloud][azure]") {
  const StandIn standin({"--log-ms", "20"}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write(
      "slow.sh",
      "#!/bin/sh\necho \"start $$\"; for i in 1 2 3 4 5 6 7 8 9 10; do echo \"$$ step $i\"; sleep 0.1; done\n");
  RunInfo run = standin.backend->submit(
      {.experiment = "spot", .source_directory = source.path, .entry = "slow.sh", .compute = "gpu-cluster"}, {});
  Follower log;
  bool preempted = false;
  do {
    run = standin.backend->get_run(run.id);
    for (const std::string& file : run.log_files) log.read(*standin.backend, run, file);
    if (!preempted && log.text.find("step 3") != std::string::npos) {
      standin.server->admin("POST", "preempt");
      preempted = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  } while (!is_terminal(run.phase));
  for (const std::string& file : run.log_files) log.read(*standin.backend, run, file);
  CHECK(run.status == "Completed");
  REQUIRE(run.warnings.size() == 1);
  CHECK(run.warnings[0].find("preempted") != std::string::npos);
  const std::size_t first = log.text.find("start ");
  const std::size_t second = log.text.find("start ", first + 1);
  REQUIRE(second != std::string::npos);
  CHECK(log.text.find("start ", second + 1) == std::string::npos);
  const std::string rerun = log.text.substr(second);
  CHECK(std::count(rerun.begin(), rerun.end(), '\n') == 11);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("runs fail, are canceled and time out with a reason", "[cloud][azure]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("fail.sh", "#!/bin/sh\necho something broke >&2\nexit 3\n");
  source.write("sleep.sh", "#!/bin/sh\necho sleeping\nsleep 60\n");
  JobSpec job{.experiment = "ends", .source_directory = source.path, .entry = "fail.sh", .compute = "gpu-cluster"};
  const RunInfo failed = wait_for(*standin.backend, standin.backend->submit(job, {}).id);
  CHECK(failed.phase == Phase::failed);
  CHECK(failed.error.find("status code 3") != std::string::npos);

  job.entry = "sleep.sh";
  RunInfo run = standin.backend->submit(job, {});
  while (standin.backend->get_run(run.id).phase != Phase::running)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  standin.backend->cancel_run(run.id);
  CHECK(wait_for(*standin.backend, run.id).phase == Phase::canceled);
  standin.backend->cancel_run(run.id);  // no harm

  job.timeout = std::chrono::seconds(1);
  const RunInfo late = wait_for(*standin.backend, standin.backend->submit(job, {}).id);
  CHECK(late.phase == Phase::canceled);
  CHECK(late.error.find("PT1S") != std::string::npos);

  CHECK_THROWS_AS(standin.backend->register_model({.name = "m", .run_id = failed.id, .path = "outputs/none"}),
                  NotFoundError);
  CHECK_THROWS_AS(standin.backend->get_run("no-such-run"), NotFoundError);
  CHECK_THROWS_AS(standin.backend->get_model("no-such-model", 0), NotFoundError);
  CHECK_THROWS_AS(standin.backend->get_model("no-such-model", 2), NotFoundError);
  CHECK_THROWS_AS(standin.backend->list_artifacts("no-such-run", ""), NotFoundError);
  job.entry = "absent.sh";
  CHECK_THROWS_AS(standin.backend->submit(job, {}), ConfigError);
  job.compute = "";
  CHECK_THROWS_AS(standin.backend->submit(job, {}), ConfigError);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("a CMake project is built in the job, once for several processes", "[cloud][azure]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("CMakeLists.txt",
               "cmake_minimum_required(VERSION 3.18)\nproject(t CXX)\nadd_executable(trainer main.cpp)\n"
               "target_compile_definitions(trainer PRIVATE WORD=\"${WORD}\")\n");
  source.write("main.cpp",
               "#include <cstdio>\nint main(int c, char** v) { std::printf(\"%s with %d arguments: %s\\n\", WORD, c, "
               "v[1]); }\n");
  source.write("ignored/big.bin", "not sent");
  source.write(".amlignore", "ignored/\n");
  JobSpec job{.experiment = "cmake",
              .source_directory = source.path,
              .entry = "trainer",
              .arguments = {"a b"},
              .compute = "gpu-cluster",
              .cmake_options = {"-DWORD=hello"}};
  job.node_count = 2;
  const RunInfo run = wait_for(*standin.backend, standin.backend->submit(job, {}).id);
  INFO(run.error);
  CHECK(run.status == "Completed");
  REQUIRE(run.log_files.size() == 2);
  CHECK(run.log_files[0] == "logs/build.log");
  Follower build;
  build.read(*standin.backend, run, run.log_files[0]);
  CHECK(build.text.find("trainer") != std::string::npos);
  CHECK(build.text.find("main.cpp") == build.text.rfind("main.cpp"));
  Follower log;
  log.read(*standin.backend, run, run.log_files[1]);
  CHECK(log.text == "hello with 2 arguments: a b\n");
  CHECK(standin.server->requests("big.bin").empty());

  source.write("main.cpp", "#error this does not compile\n");
  job.node_count = 1;
  const RunInfo broken = wait_for(*standin.backend, standin.backend->submit(job, {}).id);
  CHECK(broken.phase == Phase::failed);
  CHECK(broken.error.find("this does not compile") != std::string::npos);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("uploads and downloads survive faults and end byte-identical", "[cloud][azure]") {
  const StandIn standin({"--sas-create-only"}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  std::string big(20'000'003, '\0');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>((i * 2654435761U) >> 13);
  source.write("big.bin", big);
  source.write("copy.sh",
               "#!/bin/sh\nmkdir outputs; cp big.bin outputs/big.bin; : > outputs/empty; "
               "md5sum big.bin small/*\n");
  for (int i = 0; i < 7; ++i)
    source.write("small/f" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'x'));
  standin.server->scenario(
      {{{"method", "PUT"},
        {"area", "blob"},
        {"path", "big.bin"},
        {"after", 2},
        {"action", {{"type", "drop"}, {"execute", true}}}},
       {{"method", "PUT"},
        {"area", "blob"},
        {"path", "big.bin"},
        {"query", "blocklist"},
        {"action", {{"type", "drop"}, {"execute", true}}}},
       {{"method", "PUT"}, {"area", "blob"}, {"path", "big.bin"}, {"after", 3}, {"action", {{"type", "expire_sas"}}}},
       {{"method", "PUT"}, {"area", "blob"}, {"path", "/f3$"}, {"action", {{"type", "drop"}, {"execute", true}}}},
       {{"method", "PUT"},
        {"area", "blob"},
        {"path", "/f4$"},
        {"action", {{"type", "status"}, {"status", 500}, {"execute", true}}}},
       {{"method", "PUT"}, {"path", "/codes/"}, {"action", {{"type", "drop"}, {"execute", true}}}},
       {{"method", "PUT"}, {"path", "/jobs/"}, {"action", {{"type", "drop"}, {"execute", true}}}},
       {{"method", "PUT"}, {"path", "/models/"}, {"action", {{"type", "status"}, {"status", 502}, {"execute", true}}}},
       {{"method", "GET"},
        {"area", "blob"},
        {"path", "outputs/big.bin"},
        {"after", 1},
        {"action", {{"type", "drop"}, {"after_bytes", 3'000'000}}}},
       {{"method", "GET"},
        {"area", "blob"},
        {"path", "outputs/big.bin"},
        {"after", 2},
        {"action", {{"type", "truncate"}, {"bytes", 5'000'000}, {"fix_length", true}}}},
       {{"method", "GET"},
        {"area", "blob"},
        {"path", "outputs/big.bin"},
        {"after", 3},
        {"action", {{"type", "expire_sas"}}}},
       {{"method", "GET"},
        {"area", "blob"},
        {"path", "outputs/big.bin"},
        {"after", 5},
        {"action", {{"type", "corrupt"}}}}});
  std::uint64_t sent = 0;
  std::uint64_t total = 0;
  SubmitOptions options;
  options.progress = [&](const std::string&, std::uint64_t done, std::uint64_t all) {
    CHECK(done >= sent);
    sent = done;
    total = all;
  };
  RunInfo run = standin.backend->submit(
      {.experiment = "copy", .source_directory = source.path, .entry = "copy.sh", .compute = "gpu-cluster"}, options);
  CHECK(sent == total);
  CHECK(total > big.size());
  run = wait_for(*standin.backend, run.id);
  INFO(run.error);
  CHECK(run.status == "Completed");
  const Folder target;
  std::uint64_t last = 0;
  standin.backend->download_artifact(run.id, "outputs/big.bin", target.path / "big",
                                     [&](const std::string&, std::uint64_t done, std::uint64_t all) {
                                       CHECK(all == big.size());
                                       last = done;
                                     });
  CHECK(last == big.size());
  CHECK(read_file(target.path / "big") == big);
  standin.backend->download_artifact(run.id, "outputs/empty", target.path / "empty", nullptr);
  CHECK(fs::file_size(target.path / "empty") == 0);
  CHECK(std::distance(fs::directory_iterator(target.path), fs::directory_iterator()) == 2);
  CHECK(standin.backend->register_model({.name = "big", .run_id = run.id, .path = "outputs/big.bin"}).version == 1);

  // An uploaded artifact, small and in blocks; a second time it is replaced.
  standin.server->admin("DELETE", "scenario");
  const fs::path file = source.path / "big.bin";
  standin.backend->upload_artifact(run.id, "extra/big.bin", file, nullptr);
  standin.backend->download_artifact(run.id, "extra/big.bin", target.path / "again", nullptr);
  CHECK(read_file(target.path / "again") == big);
  standin.backend->upload_artifact(run.id, "extra/big.bin", source.path / "copy.sh", nullptr);
  standin.backend->download_artifact(run.id, "extra/big.bin", target.path / "again", nullptr);
  CHECK(read_file(target.path / "again") == read_file(source.path / "copy.sh"));

  // A model from a file of this machine, and a folder.
  const ModelInfo model =
      standin.backend->register_model({.name = "own", .path = file.string(), .description = "from a file"});
  CHECK(model.sha256 == sha256(big));
  CHECK(model.size == big.size());
  const auto files = standin.backend->download_model(model, target.path / "own", nullptr);
  REQUIRE(files.size() == 1);
  CHECK(files[0].filename() == "big.bin");
  CHECK(read_file(files[0]) == big);
  const ModelInfo all = standin.backend->register_model({.name = "own", .path = (source.path / "small").string()});
  CHECK(all.version == 2);
  CHECK(standin.backend->download_model(all, target.path / "small", nullptr).size() == 7);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("an upload that was broken off goes on where it ended", "[cloud][azure]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("run.sh", "#!/bin/sh\nls -l\n");
  source.write("big.bin", std::string(30'000'000, 'b'));
  const JobSpec job{
      .experiment = "resume", .source_directory = source.path, .entry = "run.sh", .compute = "gpu-cluster"};
  CancelToken cancel;
  SubmitOptions options{.progress =
                            [&](const std::string&, std::uint64_t done, std::uint64_t) {
                              if (done > 12'000'000) cancel.cancel();
                            },
                        .cancel = cancel};
  CHECK_THROWS_AS(standin.backend->submit(job, options), CanceledError);
  const auto blocks = [&] {
    std::size_t count = 0;
    for (const Json& request : standin.server->requests("big.bin$")) {
      if (json::text(request, {"query"}).find("comp=block&") != std::string::npos) ++count;
    }
    return count;
  };
  const std::size_t before = blocks();
  CHECK(before >= 3);
  standin.backend->submit(job, {});
  CHECK(blocks() >= 8);
  CHECK(blocks() <= before + 8 - 2);  // at least the finished blocks were used
  CHECK(standin.server->requests("/run.sh$").size() == 1);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("hostile replies lead nowhere and get no credential", "[cloud][azure]") {
  const StandIn standin;
  if (!standin) return;
  for (const char* name : {"c1", "c2", "c3", "c4", "c5"}) {
    standin.backend->create_compute(name, {.vm_size = "Standard_DS3_v2", .max_nodes = 1});
  }
  const auto rule = [&](const char* path, const Json& action) {
    standin.server->scenario({{{"method", "GET"}, {"path", path}, {"action", action}}});
  };
  rule("/computes$", {{"type", "nextlink"}, {"mode", "other_host"}});
  CHECK_THROWS_AS(standin.backend->list_computes(), NetworkError);
  rule("/computes$", {{"type", "nextlink"}, {"mode", "same"}});
  CHECK(standin.backend->list_computes().size() == 5);
  rule("/computes$", {{"type", "nextlink"}, {"mode", "empty_page"}});
  CHECK(standin.backend->list_computes().size() == 5);
  rule("/computes$", {{"type", "duplicate_items"}});
  CHECK(standin.backend->list_computes().size() == 5);
  standin.server->scenario({{{"method", "GET"},
                             {"path", "/computes$"},
                             {"times", "always"},
                             {"action", {{"type", "nextlink"}, {"mode", "same"}}}}});
  CHECK_THROWS_WITH(standin.backend->list_computes(), Catch::Matchers::ContainsSubstring("circle"));
  rule("/computes/c1$", {{"type", "redirect"}, {"location", "{trap}/x"}});
  CHECK_THROWS_WITH(standin.backend->find_compute("c1"), Catch::Matchers::ContainsSubstring("not followed"));
  rule("/computes/c1$",
       {{"type", "redirect"}, {"location", standin.backend->connection().arm("/computes/c2")}, {"status", 302}});
  CHECK(standin.backend->find_compute("c1").value().name == "c2");  // the same host may say where to look
  rule("/computes/c1$", {{"type", "status"}, {"status", 200}, {"body", "<html><p>Please wait</p></html>"}});
  CHECK(standin.backend->find_compute("c1").has_value());
  standin.server->scenario(
      {{{"method", "GET"},
        {"path", "/computes/c1$"},
        {"times", "always"},
        {"action", {{"type", "status"}, {"status", 200}, {"body", "<html><p>Please wait</p></html>"}}}}});
  CHECK_THROWS_WITH(standin.backend->find_compute("c1"), Catch::Matchers::ContainsSubstring("not JSON"));
  rule("/computes/c1$", {{"type", "status"}, {"status", 418}, {"body", "<html><h1>No tea</h1></html>"}});
  CHECK_THROWS_WITH(standin.backend->find_compute("c1"),
                    Catch::Matchers::ContainsSubstring("No tea") && Catch::Matchers::ContainsSubstring("418"));
  rule("/computes/c1$", {{"type", "status"}, {"status", 403}, {"body", nullptr}});
  CHECK_THROWS_AS(standin.backend->find_compute("c1"), AuthenticationError);
  standin.server->scenario(
      {{{"method", "PUT"},
        {"path", "/computes/"},
        {"action", {{"type", "headers"}, {"set", {{"Azure-AsyncOperation", "{trap}/operation"}}}}}}});
  standin.backend->create_compute("c6", {.vm_size = "Standard_DS3_v2", .max_nodes = 1});
  wait_for_compute(*standin.backend, "c6");
  standin.server->admin("DELETE", "scenario");
  for (const Json& request : standin.server->requests("")) CHECK(json::text(request, {"area"}) != "trap");

  wait_for_compute(*standin.backend, "c1");
  const Folder source;
  JobSpec job = script_job(source);
  job.compute = "c1";
  // Cut short, but well-formed HTTP: asked for again.
  standin.server->scenario(
      {{{"method", "PUT"}, {"path", "/jobs/"}, {"action", {{"type", "truncate"}, {"bytes", 40}, {"fix_length", true}}}},
       {{"method", "PUT"},
        {"area", "blob"},

        {"action", {{"type", "redirect"}, {"location", "{trap}/x"}}}},
       {{"method", "POST"}, {"path", "/token$"}, {"action", {{"type", "redirect"}, {"location", "{trap}/x"}}}}});
  CHECK_THROWS_WITH(standin.backend->submit(job, {}), Catch::Matchers::ContainsSubstring("not followed"));
  const RunInfo run = wait_for(*standin.backend, standin.backend->submit(job, {}).id);
  rule("/ExperimentRun/",
       {{"type", "inject_artifacts"},
        {"names",
         {"../../evil", "/tmp/evil", "outputs/../../evil", "outputs/{long}", "C:/evil", "a\\b", "outputs/ok"}}});
  std::vector<std::string> names;
  for (const Artifact& artifact : standin.backend->list_artifacts(run.id, "outputs/")) names.push_back(artifact.path);
  CHECK(names == std::vector<std::string>{"outputs/model.npz", "outputs/nested/more.bin", "outputs/ok"});
  const Folder target;
  CHECK_THROWS_AS(standin.backend->download_artifact(run.id, "../../evil", target.path / "evil", nullptr), FileError);
  fs::create_directory_symlink("/tmp", target.path / "link");
  CHECK_THROWS_AS(safe_join(target.path, "link/evil"), FileError);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("what is shown holds no secret", "[cloud][azure]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("run.sh", "#!/bin/sh\necho\n");
  standin.server->scenario({{{"area", "blob"},
                             {"times", "always"},
                             {"action",
                              {{"type", "status"},
                               {"status", 403},
                               {"headers", {{"x-ms-error-code", "AuthorizationFailure"}}},
                               {"body",
                                "<Error><Code>X</Code><Message>no https://a/b?sv=1&amp;sig=abcdef%3D and "
                                "?sig=abcdef%3D</Message></Error>"}}}}});
  try {
    standin.backend->submit(
        {.experiment = "e", .source_directory = source.path, .entry = "run.sh", .compute = "gpu-cluster"}, {});
    FAIL("it must not work");
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.find("abcdef") == std::string::npos);
    CHECK(text.find("sig=***") != std::string::npos);
  }
  standin.server->scenario({{{"area", "blob"}, {"times", "always"}, {"action", {{"type", "drop"}}}}});
  try {
    standin.backend->submit(
        {.experiment = "e", .source_directory = source.path, .entry = "run.sh", .compute = "gpu-cluster"}, {});
    FAIL("it must not work");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("sig=") == std::string::npos);
    CHECK(error.details().attempts > 1);
  }
}

TEST_CASE("the article runs over TLS with the authority's file, and not without it", "[cloud][azure]") {
  const Folder keys;
  if (!cloud::test::make_certificate(keys.path)) {
    WARN("skipped: the program openssl made no certificate");
    return;
  }
  const StandIn standin(
      {"--tls", (keys.path / "cert.pem").string(), (keys.path / "key.pem").string(), "--split-hosts"});
  if (!standin) return;
  const Folder source;
  const Folder target;
  whole_article(standin, script_job(source), target);
  CHECK(standin.backend->connection().mlflow().starts_with("https://127.0.0.1:"));
  http::ClientOptions options = standin.server->client_options();
  options.ca_file = "";
  azure::AzureBackend stranger(standin.server->config(), http::Client(options));
  CHECK_THROWS_WITH(stranger.find_compute("gpu-cluster"), Catch::Matchers::ContainsSubstring("not trusted"));
}

TEST_CASE("metrics, params and tags go to MLflow and come back", "[cloud][azure][tracking]") {
  for (const char* int64 : {"number", "string", "mixed"}) {
    const StandIn standin({"--int64", int64, "--mlflow-page", "7"});
    if (!standin) return;
    const RunInfo run = standin.backend->start_run("by hand", "first");
    CHECK(run.display_name == "first");
    CHECK(run.phase == Phase::running);
    Batch batch;
    const Milliseconds now = now_ms();
    for (int i = 0; i < 2300; ++i) batch.metrics.push_back({"loss", 1.0 / (i + 1), now + i, i});
    batch.metrics.push_back({"odd name/x", std::nan(""), now, 0});
    batch.metrics.push_back({"odd name/x", -HUGE_VAL, now + 1, -1});
    for (int i = 0; i < 130; ++i) batch.params.push_back({"p" + std::to_string(i), std::string(6000, 'v')});
    batch.tags = {{"t", "\"quoted\" ä"}};
    standin.server->scenario({{{"path", "log-batch$"}, {"action", {{"type", "status"}, {"status", 503}}}}});
    standin.backend->log_batch(run.id, batch);
    const std::vector<Metric> loss = standin.backend->metrics(run.id, "loss");
    REQUIRE(loss.size() == 2300);
    CHECK(loss[2299].value == 1.0 / 2300);
    CHECK(loss[2299].step == 2299);
    CHECK(loss[2299].timestamp == now + 2299);
    const std::vector<Metric> odd = standin.backend->metrics(run.id, "odd name/x");
    REQUIRE(odd.size() == 2);
    CHECK(std::isnan(odd[0].value));
    CHECK(odd[1].value == -HUGE_VAL);
    CHECK(odd[1].step == -1);
    CHECK(standin.backend->metrics(run.id, "").size() == 2302);
    CHECK(standin.backend->params(run.id).size() == 130);
    CHECK(standin.backend->get_run(run.id).tags.at("t") == "\"quoted\" ä");
    CHECK(standin.server->complaints() == "");
    standin.backend->log_batch(run.id, {.params = {{"p0", std::string(6000, 'v')}}});
    CHECK_THROWS_AS(standin.backend->log_batch(run.id, {.params = {{"p0", "other"}}}), ConflictError);
    standin.backend->end_run(run.id, Phase::failed, "it broke");
    const RunInfo ended = standin.backend->get_run(run.id);
    CHECK(ended.phase == Phase::failed);
    CHECK(ended.tags.at("cloud.error") == "it broke");
    CHECK_THROWS_AS(standin.backend->metrics("no-such-run", ""), NotFoundError);
  }
}

TEST_CASE("the article runs with Azurite as its storage", "[cloud][azure][services]") {
  if (run_program({"azurite-blob", "--version"}, std::chrono::seconds(60)).exit_code != 0) {
    WARN("skipped: the program azurite-blob (npm install -g azurite) is not in PATH");
    return;
  }
  const Folder data;
  const std::string port = std::to_string(20'000 + now_ms() % 20'000);
  const cloud::test::Program azurite(
      {"azurite-blob", "--blobPort", port, "--location", data.path.string(), "--silent", "--disableTelemetry"});
  std::string said = azurite.line();
  while (!said.empty() && said.find("successfully listens") == std::string::npos) said = azurite.line();
  REQUIRE_FALSE(said.empty());
  const StandIn standin({"--blob-endpoint", "http://127.0.0.1:" + port + "/devstoreaccount1"});
  if (!standin) return;
  const Folder source;
  const Folder target;
  whole_article(standin, script_job(source), target);
  const std::string big(20'000'000, 'z');
  const ModelInfo model =
      standin.backend->register_model({.name = "big", .path = source.write("big & odd.bin", big).string()});
  const auto files = standin.backend->download_model(model, target.path / "big", nullptr);
  REQUIRE(files.size() == 1);
  CHECK(read_file(files[0]) == big);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("words and names of Azure are read as the contract says", "[cloud][azure]") {
  CHECK(azure::phase_of("Queued") == Phase::scaling);
  CHECK(azure::phase_of("SomethingNew") == Phase::running);
  CHECK(azure::phase_of("NotResponding") == Phase::failed);
  CHECK(azure::is_main_log("user_logs/std_log.txt"));
  CHECK(azure::is_main_log("user_logs/std_log_process_0.txt"));
  CHECK(azure::is_main_log("user_logs/std_log_process_00.txt"));
  CHECK(azure::is_main_log("user_logs/std_log_ps.txt"));
  CHECK_FALSE(azure::is_main_log("user_logs/std_log_process_1.txt"));
  CHECK_FALSE(azure::is_main_log("user_logs/std_log_process_10.txt"));
  CHECK_FALSE(azure::is_main_log("system_logs/std_log.txt"));
  CHECK(azure::shown_logs({{"azureml-logs/20_image_build_log.txt", ""},
                           {"azureml-logs/70_driver_log.txt", ""},
                           {"system_logs/x", ""}}) ==
        std::vector<std::string>{"azureml-logs/20_image_build_log.txt", "azureml-logs/70_driver_log.txt"});
  CHECK(azure::read_duration("PT120S") == std::chrono::seconds(120));
  CHECK(azure::read_duration("P1DT2H3M4.5S") == std::chrono::seconds(93784));
  CHECK(azure::read_duration("") == std::chrono::seconds(0));
  CHECK(azure::quote("it's") == "'it'\\''s'");
  CHECK(azure::quote("${{inputs.x}}") == "'$''{{inputs.x}}'");
  CHECK(azure::quote("") == "''");
  CHECK_THROWS_AS(azure::check_package("a; rm -rf /"), ConfigError);
  CHECK_THROWS_AS(azure::check_package("-y"), ConfigError);
  CHECK_NOTHROW(azure::check_package("libstdc++-12-dev=12.2.0-14"));
  const auto place = azure::model_place(
      "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/workspaceartifactstore/paths/ExperimentRun/"
      "dcid.r1/outputs/m.npz");
  CHECK(place.kind == azure::ModelPlace::Kind::run);
  CHECK(place.owner == "r1");
  CHECK(place.path == "outputs/m.npz");
  CHECK(azure::model_place("azureml://jobs/j/outputs/model/paths/a").path == "azureml/j/model/a");
  CHECK(azure::model_place("runs:/r/outputs/m").owner == "r");
  const std::string dockerfile = azure::default_dockerfile({.packages = {"libfoo-dev"}, .use_gpu = true});
  CHECK(dockerfile.starts_with("FROM nvidia/cuda:"));
  CHECK(dockerfile.find("libfoo-dev") != std::string::npos);
}
