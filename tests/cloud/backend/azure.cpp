#include "cloud/backend/azure/azure_backend.hpp"

#include <chrono>
#include <set>
#include <string>
#include <thread>

#include "catch.hpp"
#include "cloud/contract_server.hpp"

using namespace cloud;
using cloud::test::ContractServer;
using cloud::test::Folder;
using cloud::test::SignedIn;

namespace {

std::unique_ptr<azure::AzureBackend> backend_of(const ContractServer& server) {
  return std::make_unique<azure::AzureBackend>(server.config(), server.client());
}

RunInfo wait_for(Backend& backend, const std::string& id) {
  for (int i = 0; i < 1200; ++i) {
    RunInfo run = backend.get_run(id);
    if (is_terminal(run.phase)) return run;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw Error("wait for " + id, "it does not end");
}

void wait_for_compute(Backend& backend, const std::string& name) {
  for (int i = 0; i < 600; ++i) {
    const auto status = backend.find_compute(name);
    if (status && status->failed) throw Error("provision", status->errors.empty() ? "?" : status->errors[0]);
    if (status && status->ready) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw Error("wait for " + name, "it does not become ready");
}

// A log as it is followed: what is there, in pieces, from where the last piece ended.
struct Follower {
  std::string text;
  void read(Backend& backend, const RunInfo& run, const std::string& file) {
    for (;;) {
      const std::string piece = backend.read_log(run.id, file, text.size(), 1000);
      if (piece.empty()) return;
      text += piece;
    }
  }
};

const std::string kScript = R"(#!/bin/sh
echo "args: $*"
for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 0.1; done
mkdir -p outputs/nested
printf 'model bytes' > outputs/model.npz
printf 'more' > outputs/nested/more.bin
)";

JobSpec script_job(const Folder& source) {
  source.write("train.sh", kScript);
  return {.experiment = "chainer-mnist",
          .source_directory = source.path,
          .entry = "train.sh",
          .arguments = {"--epochs", "10", "it's; $HOME ${{x}} $[[y]]", ""},
          .compute = "gpu-cluster"};
}

// The article from cluster to downloaded model. Returns the run.
RunInfo whole_article(const ContractServer& server, Backend& backend, const JobSpec& job, const Folder& target) {
  if (!backend.find_compute("gpu-cluster")) {
    backend.create_compute("gpu-cluster", {.vm_size = "Standard_NC4as_T4_v3", .max_nodes = 4});
  }
  wait_for_compute(backend, "gpu-cluster");
  const RunInfo submitted = backend.submit(job, {});
  CHECK_FALSE(is_terminal(submitted.phase));
  CHECK(submitted.web_url.find(submitted.id) != std::string::npos);
  const RunInfo run = wait_for(backend, submitted.id);
  INFO(run.error);
  CHECK(run.status == "Completed");
  Follower log;
  log.read(backend, run, "user_logs/std_log.txt");
  CHECK(log.text.find("line 8\n") != std::string::npos);
  const ModelInfo model = backend.register_model(
      {.name = "chainer-dnn-mnist", .run_id = run.id, .path = "outputs/model.npz", .tags = {{"a", "b"}}});
  CHECK(model.version == 1);
  CHECK(model.run_id == run.id);
  CHECK(model.path == "outputs/model.npz");
  for (const Artifact& artifact : backend.list_artifacts(run.id, "outputs/model")) {
    backend.download_artifact(run.id, artifact.path, target.path / "model" / artifact.path, nullptr);
  }
  CHECK(read_file(target.path / "model/outputs/model.npz") == "model bytes");
  const auto files = backend.download_model(backend.get_model("chainer-dnn-mnist", 0), target.path / "registry", nullptr);
  REQUIRE(files.size() == 1);
  CHECK(read_file(files[0]) == "model bytes");
  CHECK(server.complaints() == "");
  return run;
}

}  // namespace

TEST_CASE("the whole article runs against the stand-in without a complaint", "[cloud][azure]") {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"--split-hosts", "--extra-fields", "--null-nextlink"},
      {"--compute-put-status", "200", "--int64", "string", "--model-uri", "asis"},
      {"--no-exec-bit", "--sas-create-only"}};
  for (const auto& options : variants) {
    const auto server = ContractServer::start(options);
    if (!server) return;
    const SignedIn identity(*server);
    const auto backend = backend_of(*server);
    const Folder source;
    const Folder target;
    const JobSpec job = script_job(source);
    const RunInfo run = whole_article(*server, *backend, job, target);
    CHECK(run.experiment == "chainer-mnist");
    CHECK(run.compute == "gpu-cluster");
    CHECK(run.started > 0);
    CHECK(run.ended >= run.started);
    Follower log;
    log.read(*backend, run, "user_logs/std_log.txt");
    // Arguments come through as they are, and nobody's shell has seen them.
    CHECK(log.text.starts_with("args: --epochs 10 it's; $HOME ${{x}} $[[y]] \n"));

    std::vector<std::string> names;
    for (const Artifact& artifact : backend->list_artifacts(run.id, "outputs/")) names.push_back(artifact.path);
    CHECK(names == std::vector<std::string>{"outputs/model.npz", "outputs/nested/more.bin"});

    // The same sources again: nothing is uploaded, and the second version is registered.
    const std::size_t uploads = server->requests("/train.sh$").size();
    const RunInfo again = wait_for(*backend, backend->submit(job, {}).id);
    CHECK(again.status == "Completed");
    CHECK(server->requests("/train.sh$").size() == uploads);
    CHECK(backend->register_model({.name = "chainer-dnn-mnist", .run_id = again.id, .path = "outputs"}).version == 2);
    const std::vector<ModelInfo> models = backend->list_models("chainer-dnn-mnist");
    REQUIRE(models.size() == 2);
    CHECK(models[0].version == 2);
    CHECK(models[1].tags.at("a") == "b");
    REQUIRE(backend->list_models("").size() == 1);
    CHECK(backend->list_models("")[0].version == 2);
    CHECK(backend->download_model(models[0], target.path / "folder", nullptr).size() == 2);
    CHECK(read_file(target.path / "folder/nested/more.bin") == "more");

    const RunPage page = backend->list_runs({.max_results = 1});
    REQUIRE(page.runs.size() == 1);
    CHECK(page.runs[0].id == again.id);
    const RunPage second = backend->list_runs({.max_results = 1, .page_token = page.next_page_token});
    REQUIRE(second.runs.size() == 1);
    CHECK(second.runs[0].id == run.id);
    CHECK(backend->list_runs({.experiment = "none"}).runs.empty());
    CHECK(backend->list_experiments() == std::vector<std::string>{"chainer-mnist"});
    CHECK(backend->list_computes().size() == 1);
    CHECK(server->complaints() == "");
  }
}
