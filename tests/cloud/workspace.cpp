#include "cloud/workspace.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "cloud/compute_target.hpp"
#include "cloud/experiment.hpp"
#include "cloud/to_json.hpp"

using namespace cloud;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "cloud-workspace-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = fs::canonical(name);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

}  // namespace

TEST_CASE("without a config.json there is the local workspace, with a path there must be one", "[cloud][workspace]") {
  const Folder folder;
  const fs::path before = fs::current_path();
  ::unsetenv("CLOUD_WORKSPACE");
  ::setenv("XDG_DATA_HOME", folder.path.c_str(), 1);
  fs::current_path(folder.path);
  const WorkspaceInfo info = Workspace::from_config().info();
  fs::current_path(before);
  ::unsetenv("XDG_DATA_HOME");
  CHECK(info.backend == "local");
  CHECK(info.location == (folder.path / "dnn" / "workspace").string());
  CHECK((fs::status(info.location).permissions() & fs::perms::others_all) == fs::perms::none);
  CHECK_THROWS_WITH(Workspace::from_config(folder.path), ContainsSubstring((folder.path / ".azureml").string()));
  CHECK_THROWS_AS(Workspace::from_config(folder.path / "none.json"), ConfigError);
  write_file(folder.path / "config.json", "{}");
  CHECK_THROWS_AS(Workspace::from_config(folder.path), ConfigError);
}

TEST_CASE("the article's steps on this machine", "[cloud][workspace]") {
  const Folder folder;
  fs::create_directories(folder.path / "source");
  write_file(folder.path / "source" / "train.sh", "#!/bin/sh\necho \"$@\"\necho weights > outputs/model.npz\n");
  const auto ws = Workspace::local(folder.path / "ws");
  CHECK(ws.is_local());
  const Experiment experiment{ws, "chainer-mnist"};
  std::string said;
  const Output listen = [&](std::string_view text) { said += text; };
  CHECK_THROWS_AS(ComputeTarget(ws, "gpu-cluster"), NotFoundError);
  auto target =
      ComputeTarget::get_or_create(ws, "gpu-cluster", {.vm_size = "Standard_NC4as_T4_v3", .max_nodes = 4}, listen);
  CHECK(said == "Creating a new compute target...\n");
  said.clear();
  target = ComputeTarget::get_or_create(ws, "gpu-cluster", {}, listen);
  CHECK(said == "Found existing compute target.\n");
  said.clear();
  CHECK(target.wait_for_completion({.show_output = true, .output = listen}).spec.max_nodes == 4);
  CHECK_THAT(said, ContainsSubstring("Succeeded"));
  CHECK(to_json(target.status())["vmSize"] == "Standard_NC4as_T4_v3");

  const Estimator estimator{{.source_directory = folder.path / "source",
                             .entry = "train.sh",
                             .script_params = {{"--epochs", 10}, {"--name", "a b"}},
                             .compute_target = target,
                             .packages = {"unused-here"},
                             .use_gpu = true,
                             .tags = {{"k", "v"}}}};
  const auto run = experiment.submit(estimator);
  said.clear();
  const RunInfo info = run.wait_for_completion({.show_output = true, .output = listen});
  CHECK(info.phase == Phase::completed);
  CHECK(said.starts_with("RunId: " + run.id() + "\n\n== Preparing\n"));
  CHECK_THAT(said, ContainsSubstring(
                       "\n== Scaling\n\n== Running\n--epochs 10 --name a b\n\n== Post-processing\n\nCompleted after "));
  CHECK(to_json(info)["tags"]["k"] == "v");

  CHECK(run.register_model("chainer-dnn-mnist", "outputs/model.npz").version() == 1);
  CHECK(ws.register_model("chainer-dnn-mnist", folder.path / "source" / "train.sh", {.description = "odd"}).version() ==
        2);
  CHECK(ws.model("chainer-dnn-mnist", 1).info().run_id == run.id());
  CHECK(ws.models().size() == 1);
  CHECK(ws.models("chainer-dnn-mnist").size() == 2);
  CHECK(to_json(ws.model("chainer-dnn-mnist").info())["description"] == "odd");
  CHECK(run.file_names("outputs/model") == std::vector<std::string>{"outputs/model.npz"});
  CHECK(run.download_file("outputs/model.npz", folder.path / "model" / "x.npz") == folder.path / "model" / "x.npz");
  CHECK(run.download_file("outputs/model.npz", folder.path / "model") == folder.path / "model" / "model.npz");
  CHECK(run.download_file("outputs/model.npz", (folder.path / "other").string() + "/") ==
        folder.path / "other" / "model.npz");
  CHECK(read_file(folder.path / "other" / "model.npz") == "weights\n");
  CHECK(run.download_files("outputs", folder.path / "all") ==
        std::vector<fs::path>{folder.path / "all" / "outputs" / "model.npz"});
  CHECK(experiment.runs().size() == 1);
  CHECK(ws.run(run.id()).phase() == Phase::completed);
  CHECK_THROWS_AS(ws.run("none"), NotFoundError);
  CHECK(ws.experiments() == std::vector<std::string>{"chainer-mnist"});
}
