#include "cloud/backend/context.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "cloud/backend/azure/connection.hpp"
#include "cloud/run.hpp"
#include "cloud/standin.hpp"

using namespace cloud;
using namespace cloud::test;
using Catch::Matchers::ContainsSubstring;
using namespace std::chrono_literals;

namespace {

// Only what a test sets tells which run this is.
struct Environment {
  void set(const std::string& name, std::optional<std::string> value) {
    variables.push_back(std::make_unique<ScopedEnv>(name, std::move(value)));
  }
  Environment() {
    for (const char* name :
         {"CLOUD_WORKSPACE", "CLOUD_RUN_ID", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME",
          "MLFLOW_TRACKING_PASSWORD", "MLFLOW_RUN_ID", "MLFLOW_RUN_NAME", "MLFLOW_EXPERIMENT_NAME", "AZUREML_RUN_ID"}) {
      set(name, std::nullopt);
    }
    set("CLOUD_SPOOL", (folder.path / "spool").string());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    while (!variables.empty()) variables.pop_back();
  }

  Folder folder;
  std::vector<std::unique_ptr<ScopedEnv>> variables;
};

Run current_run(std::chrono::milliseconds interval = 20ms) {
  Context context = find_context();
  context.logging.interval = interval;
  context.logging.retry = 50ms;
  return {context.backend, context.run_id, context.logging};
}

// A port of this machine where nobody listens (until somebody does).
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// A run of the stand-in for Azure, as a job of it finds itself.
struct Job {
  explicit Job(const ContractServer& server) : signed_in(server) {
    azure::Connection connection(server.config(), server.client());
    environment.set("MLFLOW_TRACKING_URI", connection.mlflow() + "?is-remote=True");
    environment.set("MLFLOW_TRACKING_TOKEN", connection.token_source()(Secret()).reveal());
    environment.set("MLFLOW_EXPERIMENT_NAME", "from-a-job");
  }
  SignedIn signed_in;
  Environment environment;
};

}  // namespace

TEST_CASE("with nothing set the run is offline and prints to stderr", "[cloud][tracking]") {
  const Environment environment;
  const fs::path output = environment.folder.path / "stderr";
  const int saved = ::dup(2);
  REQUIRE(std::freopen(output.c_str(), "w", stderr) != nullptr);
  {
    const Run run = current_run();
    run.log("Accuracy", 0.5);
    run.log("Accuracy", 0.75);
    run.log_param("batch size", 128);
    run.set_tag("framework", "dnn");
    run.complete();
  }
  std::fflush(stderr);
  ::dup2(saved, 2);
  ::close(saved);
  const std::string text = read_file(output);
  for (const char* line : {"metric Accuracy: 0.5\n", "metric Accuracy: 0.75 (step 1)\n", "param batch size: 128\n",
                           "tag framework: dnn\n"}) {
    CHECK_THAT(text, ContainsSubstring(line));
  }
  CHECK(current_run().id() == "offline");
}

TEST_CASE("a program of a local run logs into its workspace", "[cloud][tracking]") {
  Environment environment;
  const std::string workspace = (environment.folder.path / "ws").string();
  local::LocalHistory history(workspace);
  const std::string id = history.start_run("e", "").id;
  environment.set("CLOUD_WORKSPACE", workspace);
  environment.set("CLOUD_RUN_ID", id);
  const Run run = current_run(1h);
  for (int i = 0; i < 10'000; ++i) run.log("loss", i);
  run.log_param("rate", 0.1);
  run.log_param("rate", 0.2);  // refused, reported, and nothing else is lost
  run.set_tag("t", "1");
  CHECK(run.metrics("loss").size() == 10'000);
  const std::vector<Metric> stored = history.metrics(id, "loss");
  REQUIRE(stored.size() == 10'000);
  CHECK(stored[9999].step == 9999);
  CHECK(stored[9999].value == 9999);
  REQUIRE(history.params(id).size() == 1);
  CHECK(history.params(id)[0].value == "0.1");
  CHECK(run.tags().at("t") == "1");

  environment.set("CLOUD_RUN_ID", "no-such-run");
  CHECK_THROWS_AS(find_context(), NotFoundError);
}

TEST_CASE("a program that is killed has lost only what it logged last", "[cloud][tracking]") {
  Environment environment;
  const std::string workspace = (environment.folder.path / "ws").string();
  std::string id;
  {
    local::LocalHistory history(workspace);
    id = history.start_run("e", "").id;
  }
  environment.set("CLOUD_WORKSPACE", workspace);
  environment.set("CLOUD_RUN_ID", id);
  const pid_t child = ::fork();
  if (child == 0) {
    const Run run = current_run(1ms);
    for (int i = 0; i < 100; ++i) run.log("loss", i);
    run.flush();
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  local::LocalHistory history(workspace);
  CHECK(history.metrics(id, "loss").size() == 100);
  CHECK(history.integrity() == "ok");
}

TEST_CASE("addresses and secrets that cannot be right are refused", "[cloud][tracking]") {
  Environment environment;
  environment.set("MLFLOW_TRACKING_URI", "sqlite:///m.db");
  CHECK_THROWS_AS(find_context(), ConfigError);
  environment.set("MLFLOW_TRACKING_URI", "http://tracking.example.com");
  environment.set("MLFLOW_TRACKING_TOKEN", "hush");
  CHECK_THROWS_WITH(find_context(), ContainsSubstring("https") && !ContainsSubstring("hush"));
}

TEST_CASE("a job of Azure logs through its MLflow endpoint", "[cloud][tracking]") {
  const auto server = ContractServer::start();
  if (!server) return;
  Job job(*server);
  const Run run = current_run();
  for (int i = 0; i < 2500; ++i) run.log("loss", 1.0 / (i + 1));
  run.log("odd", std::nan(""));
  for (int i = 0; i < 250; ++i) run.log_param("p" + std::to_string(i), i);
  run.set_tag("t", "v");
  REQUIRE(run.flush());
  const std::vector<Metric> loss = run.metrics("loss");
  REQUIRE(loss.size() == 2500);
  CHECK(loss[2499].step == 2499);
  CHECK(std::isnan(run.metrics("odd").at(0).value));
  CHECK(run.params().size() == 250);
  CHECK(run.info().experiment == "from-a-job");
  CHECK(run.tags().at("t") == "v");
  CHECK(run.phase() == Phase::running);

  // Told which run it is, the program starts none, and does not end it.
  job.environment.set("MLFLOW_RUN_ID", run.id());
  const Run same = current_run();
  CHECK(same.id() == run.id());
  same.fail("not mine");
  CHECK(run.phase() == Phase::running);
  run.complete();
  CHECK(run.phase() == Phase::completed);
  CHECK(server->complaints().empty());
}

TEST_CASE("a program adds files to the job that it is", "[cloud][tracking]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const Job job(*server);
  const Run run = current_run();
  const fs::path file = job.environment.folder.write("a b.txt", "from the job");
  run.upload_file("outputs/a b.txt", file);
  CHECK(run.file_names() == std::vector<std::string>{"outputs/a b.txt"});
  CHECK(read_file(run.download_file("outputs/a b.txt", job.environment.folder.path / "back")) == "from the job");
  CHECK(server->complaints().empty());
}

TEST_CASE("the token of a job is replaced while it is good, and another way is found when it is not",
          "[cloud][tracking]") {
  // As the stand-in starts it: a script that prints what a job finds in its environment.
  const StandIn standin({"--run-token-expires-in", "3"}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("env.sh", "#!/bin/sh\nenv | grep -E '^(MLFLOW|AZUREML)_' >outputs/env\n");
  source.write("outputs/.keep", "");
  const RunInfo done = wait_for(
      *standin.backend,
      standin.backend
          ->submit({.experiment = "e", .source_directory = source.path, .entry = "env.sh", .compute = "gpu-cluster"},
                   {})
          .id);
  REQUIRE(done.phase == Phase::completed);
  const fs::path file = source.path / "env";
  standin.backend->download_artifact(done.id, "outputs/env", file, nullptr);
  Environment environment;
  for (const std::string& line : split(read_file(file), '\n')) {
    if (const std::size_t equals = line.find('='); equals != std::string::npos) {
      environment.set(line.substr(0, equals), line.substr(equals + 1));
    }
  }
  environment.set("AZURE_AUTHORITY_HOST", standin.server->at("AZURE_AUTHORITY_HOST"));
  const auto with_credential = [&](bool there) {
    standin.server->admin("POST", "clear-logs");
    const ScopedEnv none("AZURE_CLIENT_SECRET",
                         there ? std::optional(standin.server->at("AZURE_CLIENT_SECRET")) : std::nullopt);
    const Run run = current_run();
    for (int i = 0; i < 9; ++i) {  // longer than a token lives
      run.log("loss", i);
      if (!run.flush()) return false;
      std::this_thread::sleep_for(400ms);
    }
    return true;
  };
  SECTION("run history gives new ones") {
    CHECK(with_credential(false));
    CHECK(standin.server->requests("/runs/" + done.id + "/token$").size() >= 2);
    CHECK(standin.server->complaints().empty());
  }
  SECTION("run history gives none") {
    standin.server->scenario({{{"path", "/runs/" + done.id + "/token$"},
                               {"times", "always"},
                               {"action", {{"type", "status"}, {"status", 403}}}}});
    CHECK(with_credential(true));
    CHECK(standin.server->requests("/oauth2/v2.0/token$").size() == 1);
    CHECK(standin.server->complaints().empty());
  }
}

TEST_CASE("a connection that breaks loses nothing", "[cloud][tracking]") {
  const auto server = ContractServer::start();
  if (!server) return;
  Job job(*server);
  const Run run = current_run();
  server->scenario({{{"method", "POST"}, {"path", "log-batch"}, {"times", 3}, {"action", {{"type", "drop"}}}},
                    {{"method", "POST"},
                     {"path", "log-batch"},
                     {"times", 3},
                     {"action", {{"type", "status"}, {"status", 503}, {"headers", {{"Retry-After", "0"}}}}}}});
  for (int i = 0; i < 300; ++i) run.log("loss", i);
  for (int tries = 0; tries < 50 && !run.flush(); ++tries) std::this_thread::sleep_for(50ms);
  const std::vector<Metric> loss = run.metrics("loss");
  REQUIRE(loss.size() == 300);
  for (std::size_t i = 0; i < 300; ++i) CHECK(loss[i].value == static_cast<double>(i));
  CHECK(server->complaints().empty());
}

TEST_CASE("a real MLflow server", "[cloud][tracking][services]") {
  const std::string mlflow = env_or("DNN_MLFLOW", "");
  if (!fs::exists(mlflow)) {
    WARN("skipped: DNN_MLFLOW does not name the program mlflow (pip install mlflow)");
    return;
  }
  Environment environment;
  const std::string folder = environment.folder.path.string();
  const int port = free_port();
  const Program program({mlflow, "server", "--host", "127.0.0.1", "--port", std::to_string(port), "--workers", "1",
                         "--backend-store-uri", "sqlite:///" + folder + "/m.db", "--artifacts-destination",
                         folder + "/artifacts"});
  environment.set("MLFLOW_TRACKING_URI", "http://127.0.0.1:" + std::to_string(port));
  environment.set("MLFLOW_EXPERIMENT_NAME", "real");
  environment.set("MLFLOW_RUN_NAME", "first");
  std::optional<Run> run;
  for (int tries = 0; !run; ++tries) {
    try {
      run.emplace(current_run());
    } catch (const NetworkError&) {
      if (tries == 60) throw;
      std::this_thread::sleep_for(500ms);
    }
  }
  for (int i = 0; i < 1500; ++i) run->log("loss", i);
  run->log_param("rate", 0.25);
  run->log_param("rate", 0.5);
  run->set_tag("t", "v");
  CHECK(run->metrics("loss").size() == 1500);
  REQUIRE(run->params().size() == 1);
  CHECK(run->params()[0].value == "0.25");
  CHECK(run->info().display_name == "first");
  CHECK(run->info().experiment == "real");

  const fs::path file = environment.folder.write("a.bin", std::string(100'000, '\0') + "end");
  run->upload_file("outputs/a b.bin", file);
  run->upload_file("top.bin", file);
  CHECK(run->file_names() == std::vector<std::string>{"outputs/a b.bin", "top.bin"});
  CHECK(run->files("top").at(0).size == 100'003);
  const fs::path back = run->download_file("outputs/a b.bin", environment.folder.path / "back" / "b.bin");
  CHECK(read_file(back) == read_file(file));
  CHECK_THROWS_AS(run->download_file("none", environment.folder.path / "none"), Error);
  CHECK_FALSE(fs::exists(environment.folder.path / "none"));

  const Model model = run->register_model("net", "outputs/a b.bin", {.description = "d", .tags = {{"k", "v"}}});
  CHECK(model.version() == 1);
  CHECK(run->register_model("net", "outputs").version() == 2);
  CHECK_THROWS_AS(run->register_model("net", "none"), NotFoundError);
  Backend& backend = *run->backend();
  CHECK(backend.get_model("net", 0).version == 2);
  CHECK(backend.list_models("").size() == 1);
  CHECK_THROWS_AS(backend.get_model("other", 0), NotFoundError);
  const ModelInfo first = backend.get_model("net", 1);
  CHECK(first.path == "outputs/a b.bin");
  CHECK(first.tags.at("k") == "v");
  const std::vector<fs::path> files = backend.download_model(first, environment.folder.path / "model", {});
  REQUIRE(files.size() == 1);
  CHECK(read_file(files[0]) == read_file(file));
  run->fail("it diverged");
  CHECK(run->phase() == Phase::failed);
  CHECK(run->info().error == "it diverged");
}
