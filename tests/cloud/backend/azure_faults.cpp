// What a service, a gateway or a network does to the article on its way; azure.cpp has the transfers and the logs.
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "cloud/compute_target.hpp"
#include "cloud/experiment.hpp"
#include "cloud/standin.hpp"
#include "cloud/workspace.hpp"

using namespace cloud;
using namespace cloud::test;
using Catch::Matchers::ContainsSubstring;

namespace {

Json status(int code, const Json& more = Json::object()) {
  Json action{{"type", "status"}, {"status", code}};
  action.update(more);
  return action;
}

Json rule(const char* method, const char* path, const Json& action, int after = 1, int times = 1) {
  return {{"method", method}, {"path", path}, {"after", after}, {"times", times}, {"action", action}};
}

Json patch(const Json& set) { return {{"type", "patch_json"}, {"set", set}}; }

const Json kPage{{"body", "<html><head><title>502</title></head><body>Bad Gateway</body></html>"},
                 {"content_type", "text/html"}};

}  // namespace

TEST_CASE("the article ends well whatever gets in its way", "[cloud][azure][faults]") {
  // Each is one way through the whole article; every rule must have fired, and the stand-in must have no complaint.
  const std::vector<std::pair<const char*, std::vector<Json>>> ways = {
      {"a busy service",
       {rule("GET", "/workspaces/[^/]+$", status(429), 1, 2),
        rule("POST", "/token$", status(429, {{"headers", {{"Retry-After", "0"}}}})),
        rule("GET", "/computes/gpu-cluster$", status(503, {{"headers", {{"Retry-After", "{date+1}"}}}})),
        rule("PUT", "/computes/", status(429, {{"headers", {{"x-ms-retry-after-ms", "10"}}}})),
        rule("POST", "startPendingUpload$", status(429), 1, 2),
        rule("PUT", "/jobs/", status(503, {{"headers", {{"Retry-After", "soon"}}}})),
        rule("GET", "/details$", status(408)), rule("PUT", "/models/", status(504, kPage))}},
      {"a gateway that answers in place of the service",
       {rule("GET", "/discovery", status(502, kPage)), rule("GET", "/workspaces/[^/]+$", status(200, kPage)),
        rule("POST", "/token$", status(200, kPage)), rule("PUT", "/codes/", status(502, kPage)),
        rule("GET", "/details$", status(200, {{"body", nullptr}}), 2), rule("GET", "/contentinfo$", status(502, kPage)),
        rule("GET", "/ExperimentRun/", status(500, {{"body", nullptr}}))}},
      {"replies that are lost after the work is done",
       {rule("PUT", "/computes/", {{"type", "drop"}, {"execute", true}}),
        rule("PUT", "/codes/", status(409, {{"execute", true}})),
        rule("PUT", "/environments/", status(409, {{"execute", true}})),
        rule("PUT", "/jobs/", status(409, {{"execute", true}})),
        rule("POST", "startPendingUpload$", {{"type", "drop"}, {"execute", true}}),
        rule("PUT", "/models/", {{"type", "drop"}, {"execute", true}, {"after_bytes", 20}})}},
      {"words, nulls and numbers as nobody promised them",
       {rule("GET", "/computes/gpu-cluster$",
             patch({{"/properties/provisioningState", "Reticulating"},
                    {"/properties/provisioningErrors", nullptr},
                    {"/properties/properties/scaleSettings/maxNodeCount", "4"},
                    {"/properties/properties/nodeStateCounts", nullptr}}),
             2),
        rule("GET", "/codes/[^/]+/versions$", patch({{"/value", nullptr}, {"/nextLink", nullptr}})),
        rule("PUT", "/jobs/", patch({{"/properties/status", "Dreaming"}, {"/properties/tags", nullptr}})),
        rule("GET", "/details$", patch({{"/status", "Calibrating"}, {"/warnings", nullptr}, {"/logFiles", nullptr}})),
        rule("GET", "/details$", patch({{"/status", nullptr}, {"/properties", nullptr}, {"/tags", nullptr}}), 2),
        rule("GET", "/details$",
             patch({{"/status", "queued"}, {"/error", nullptr}, {"/unheardOf", {{"a", {1, nullptr}}}}}), 3),
        rule("PUT", "/models/", patch({{"/properties/tags", nullptr}, {"/properties/unheardOf", 1}}))}},
      {"slow and piecemeal replies",
       {rule("GET", "/workspaces/[^/]+$", {{"type", "chunked"}}), rule("POST", "/token$", {{"type", "chunked"}}),
        rule("GET", "/computes/gpu-cluster$", {{"type", "dribble"}}, 2),
        rule("PUT", "/jobs/", {{"type", "truncate"}, {"bytes", 100}}),
        rule("GET", "/details$", {{"type", "truncate"}, {"bytes", 50}, {"fix_length", true}}),
        rule("GET", "/ExperimentRun/", {{"type", "chunked"}}),
        rule("GET", "outputs/model.npz", {{"type", "dribble"}})}},
      {"a token that is not good enough",
       {rule("GET", "/workspaces/[^/]+$",
             status(401, {{"headers",
                           {{"WWW-Authenticate",
                             R"(Bearer authorization_uri="https://x/", error="insufficient_claims", claims="eyJ9")"}}},
                          {"body", nullptr}})),
        rule("PUT", "/jobs/", {{"type", "expire_tokens"}}), rule("PUT", "/models/", {{"type", "expire_tokens"}})}},
      {"a run that history has not heard of yet", {rule("GET", "/details$", status(404), 1, 3)}},
  };
  StandIn standin;
  if (!standin) return;
  for (const auto& [name, rules] : ways) {
    INFO(name);
    standin.server->admin("POST", "reset");
    standin.connect();
    standin.server->scenario(rules);
    const Folder source;
    const Folder target;
    const RunInfo run = whole_article(standin, script_job(source), target);
    CHECK(run.exit_code == 0);
    const Json loaded = standin.server->admin("GET", "scenario");
    for (const Json& one : json::array(loaded, {"rules"})) {
      INFO(json::dump(one));
      CHECK(json::integer(one, {"fired"}) >= 1);
    }
  }
}

TEST_CASE("a log that is cut short, emptied, replaced or gone for a while is shown once", "[cloud][azure][faults]") {
  const StandIn standin({"--log-ms", "10"}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("talk.sh", "#!/bin/sh\nfor i in $(seq 100 250); do echo \"line $i of this log\"; sleep 0.01; done\n");
  const auto blob = [](const Json& action, int after) {
    return Json{{"method", "GET"}, {"area", "blob"}, {"path", "std_log"}, {"after", after}, {"action", action}};
  };
  standin.server->scenario({blob(status(404), 1), blob(status(404, {{"body", nullptr}}), 4),
                            blob({{"type", "truncate"}, {"bytes", 7}, {"fix_length", true}}, 5),
                            blob({{"type", "truncate"}, {"bytes", 30}}, 6),
                            blob({{"type", "truncate"}, {"bytes", 0}, {"fix_length", true}}, 7), blob(status(416), 8),
                            blob(status(403, {{"headers", {{"x-ms-error-code", "AuthenticationFailed"}}}}), 9)});
  std::string shown;
  const Run run(
      std::shared_ptr<Backend>(standin.backend.get(), [](Backend*) {}),
      standin.backend
          ->submit({.experiment = "log", .source_directory = source.path, .entry = "talk.sh", .compute = "gpu-cluster"},
                   {})
          .id);
  const ScopedEnv quick("AZUREML_RUN_POLLING_INTERVAL_MIN", "0.02");
  const ScopedEnv still_quick("AZUREML_RUN_POLLING_INTERVAL_MAX", "0.02");
  run.wait_for_completion({.show_output = true, .output = [&](std::string_view text) { shown += text; }});
  std::string expected;
  for (int i = 100; i <= 250; ++i) expected += "line " + std::to_string(i) + " of this log\n";
  const std::size_t first = shown.find("line 100");
  REQUIRE(first != std::string::npos);
  CHECK(shown.substr(first, expected.size()) == expected);
  CHECK(shown.find("line ", first + expected.size()) == std::string::npos);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("a run that goes back to the queue shows each phase once", "[cloud][azure][faults]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("run.sh", "#!/bin/sh\necho done\n");
  std::vector<Json> rules;
  int after = 0;
  for (const char* word : {"Queued", "Preparing", "Queued", "Running", "Provisioning", "Queued", "CancelRequested"}) {
    rules.push_back(rule("GET", "/details$", patch({{"/status", word}, {"/logFiles", nullptr}}), ++after));
  }
  standin.server->scenario(rules);
  const ScopedEnv quick("AZUREML_RUN_POLLING_INTERVAL_MAX", "0.02");
  const ScopedEnv still_quick("AZUREML_RUN_POLLING_INTERVAL_MIN", "0.02");
  std::string shown;
  const Run run(
      std::shared_ptr<Backend>(standin.backend.get(), [](Backend*) {}),
      standin.backend
          ->submit({.experiment = "log", .source_directory = source.path, .entry = "run.sh", .compute = "gpu-cluster"},
                   {})
          .id);
  run.wait_for_completion({.show_output = true, .output = [&](std::string_view text) { shown += text; }});
  for (const char* phase : {"== Preparing", "== Scaling", "== Running", "== Post-processing"}) {
    INFO(shown);
    CHECK(shown.find(phase) != std::string::npos);
    CHECK(shown.find(phase) == shown.rfind(phase));
  }
  CHECK_THAT(shown, ContainsSubstring("\nCompleted"));
}

TEST_CASE("files keep their names, however odd, on every way", "[cloud][azure][faults]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const std::vector<std::string> names = {
      "a b.bin", "50%2Fplus+.bin", "\xC3\xA4\xE2\x82\xAC.bin", "a&b=c;d#e?.bin", "'quoted'.bin", "..hidden", "x/..y/z"};
  const Folder source;
  source.write("copy.sh", "#!/bin/sh\nmkdir -p outputs && cp -r data/. outputs/\n");
  for (const std::string& name : names) source.write("data/" + name, "content of " + name);
  const RunInfo run = wait_for(
      *standin.backend,
      standin.backend
          ->submit(
              {.experiment = "names", .source_directory = source.path, .entry = "copy.sh", .compute = "gpu-cluster"},
              {})
          .id);
  CHECK(run.status == "Completed");
  const Folder target;
  CHECK(standin.backend->list_artifacts(run.id, "outputs/").size() == names.size());
  for (const std::string& name : names) {
    INFO(name);
    standin.backend->download_artifact(run.id, "outputs/" + name, target.path / "one", nullptr);
    CHECK(read_file(target.path / "one") == "content of " + name);
    standin.backend->upload_artifact(run.id, "sent/" + name, source.path / "data" / name, nullptr);
    standin.backend->download_artifact(run.id, "sent/" + name, target.path / "one", nullptr);
    CHECK(read_file(target.path / "one") == "content of " + name);
  }
  const ModelInfo model = standin.backend->register_model({.name = "odd", .run_id = run.id, .path = "outputs"});
  CHECK(standin.backend->download_model(model, target.path / "all", nullptr).size() == names.size());
  for (const std::string& name : names) CHECK(read_file(target.path / "all" / name) == "content of " + name);
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("what two do at once is done once", "[cloud][azure][faults]") {
  const StandIn standin;
  if (!standin) return;
  // Somebody else creates the cluster between our look and our request.
  standin.server->scenario({rule("PUT", "/computes/", status(409, {{"execute", true}}))});
  const Workspace ws(std::shared_ptr<Backend>(standin.backend.get(), [](Backend*) {}));
  const auto target =
      ComputeTarget::get_or_create(ws, "gpu-cluster", {.vm_size = "Standard_DS3_v2"}, [](std::string_view) {});
  CHECK(target.wait_for_completion({.poll = std::chrono::milliseconds(20)}).ready);
  standin.server->scenario({rule("PUT", "/computes/", status(409))});
  CHECK_THROWS_AS(ComputeTarget::get_or_create(ws, "other", {.vm_size = "Standard_DS3_v2"}, [](std::string_view) {}),
                  ConflictError);

  // Somebody else registers the version that we are about to.
  const Folder source;
  const fs::path file = source.write("m.npz", "bytes");
  CHECK(standin.backend->register_model({.name = "m", .path = file.string()}).version == 1);
  standin.server->scenario({rule("PUT", "/models/", status(409), 1, 2)});
  CHECK(standin.backend->register_model({.name = "m", .path = file.string()}).version >= 2);
  standin.server->scenario({rule("PUT", "/models/", status(409), 1, 100)});
  CHECK_THROWS_AS(standin.backend->register_model({.name = "m", .path = file.string()}), ConflictError);
  standin.server->scenario({rule("PUT", "/models/", status(412))});
  CHECK(standin.backend->register_model({.name = "m", .path = file.string()}).version >= 2);
}

TEST_CASE("a run that this program did not start is not ended by it", "[cloud][azure][faults]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("run.sh", "#!/bin/sh\nsleep 0.5; exit 4\n");
  const RunInfo run = standin.backend->submit(
      {.experiment = "e", .source_directory = source.path, .entry = "run.sh", .compute = "gpu-cluster"}, {});
  standin.backend->end_run(run.id, Phase::completed, "");
  const RunInfo ended = wait_for(*standin.backend, run.id);
  CHECK(ended.phase == Phase::failed);
  CHECK(ended.exit_code == 4);
  CHECK(standin.server->complaints() == "");
}
