/// A workspace of the stand-in for Azure, and the article's steps in it.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "cloud/backend/azure/azure_backend.hpp"
#include "cloud/contract_server.hpp"

namespace cloud::test {

inline RunInfo wait_for(Backend& backend, const std::string& id) {
  for (int i = 0; i < 1200; ++i) {
    RunInfo run = backend.get_run(id);
    if (is_terminal(run.phase)) return run;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw Error("wait for " + id, "it does not end");
}

inline void wait_for_compute(Backend& backend, const std::string& name) {
  for (int i = 0; i < 600; ++i) {
    const auto status = backend.find_compute(name);
    if (status && status->failed) throw Error("provision", status->errors.empty() ? "?" : status->errors[0]);
    if (status && status->ready) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw Error("wait for " + name, "it does not become ready");
}

/// A log as it is followed: what is there, in pieces, from where the last piece ended.
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

inline const std::string kScript = R"(#!/bin/sh
echo "args: $*"
for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 0.02; done
mkdir -p outputs/nested
printf 'model bytes' > outputs/model.npz
printf 'more' > outputs/nested/more.bin
)";

inline JobSpec script_job(const Folder& source) {
  source.write("train.sh", kScript);
  return {.experiment = "chainer-mnist",
          .source_directory = source.path,
          .entry = "train.sh",
          .arguments = {"--epochs", "10", "it's; $HOME ${{x}} $[[y]]", ""},
          .compute = "gpu-cluster"};
}

/// The stand-in, somebody signed in to it, and the backend they use. False when the stand-in is not there.
struct StandIn {
  /// With `cluster`, a compute of that name is ready.
  explicit StandIn(const std::vector<std::string>& options = {}, const std::string& cluster = {})
      : server(ContractServer::start(quick(options))) {
    if (!server) return;
    identity.emplace(*server);
    connect();
    if (cluster.empty()) return;
    backend->create_compute(cluster, {.vm_size = "Standard_DS3_v2", .max_nodes = 2});
    wait_for_compute(*backend, cluster);
  }
  explicit operator bool() const { return server != nullptr; }

  /// A backend that knows nothing yet.
  void connect() { backend = std::make_unique<azure::AzureBackend>(server->config(), server->client()); }

  std::unique_ptr<ContractServer> server;
  std::optional<SignedIn> identity;
  std::unique_ptr<azure::AzureBackend> backend;

 private:
  // Operations may be asked after at once, unless a test wants to see that they are not.
  static std::vector<std::string> quick(std::vector<std::string> options) {
    if (std::find(options.begin(), options.end(), "--retry-after") == options.end()) {
      options.insert(options.end(), {"--retry-after", "0", "--node-ms", "100"});
    }
    return options;
  }
};

/// The article from cluster to downloaded model. Returns the run.
inline RunInfo whole_article(const StandIn& standin, const JobSpec& job, const Folder& target) {
  Backend& backend = *standin.backend;
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
  const auto files =
      backend.download_model(backend.get_model("chainer-dnn-mnist", 0), target.path / "registry", nullptr);
  REQUIRE(files.size() == 1);
  CHECK(read_file(files[0]) == "model bytes");
  CHECK(standin.server->complaints() == "");
  return run;
}

}  // namespace cloud::test
