#include "cloud/dnn.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "cloud/experiment.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/links.hpp"

using namespace cloud;

TEST_CASE("a link goes into the registry and comes back", "[cloud][dnn]") {
  std::string name = (fs::temp_directory_path() / "cloud-dnn-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const auto ws = Workspace::local(fs::path(name) / "ws");
  const Run run = Experiment{ws, "test"}.start_logging();

  dnn::links::Linear first(3, 2);
  dnn::links::Linear second(3, 2);
  const Model one = register_model(run, "net", first, {.tags = {{"k", "v"}}});
  CHECK(one.version() == 1);
  CHECK(one.info().tags.at("k") == "v");
  CHECK(one.info().run_id == run.id());
  CHECK(register_model(run, "net", second).version() == 2);
  CHECK(run.file_names() == std::vector<std::string>{"outputs/net.npz"});

  dnn::links::Linear loaded(3, 2);
  CHECK(load_model(ws, "net", 1, loaded).version() == 1);
  CHECK(dnn::array_equal(loaded.W.array(), first.W.array()));
  CHECK(load_model(ws, "net", 0, loaded).version() == 2);
  CHECK(dnn::array_equal(loaded.W.array(), second.W.array()));
  CHECK_THROWS_AS(load_model(ws, "other", 0, loaded), NotFoundError);
  write_file(fs::path(name) / "text.txt", "no npz");
  ws.register_model("text", fs::path(name) / "text.txt");
  CHECK_THROWS_AS(load_model(ws, "text", 0, loaded), FileError);
  dnn::links::Linear other(4, 2);
  CHECK_THROWS_AS(load_model(ws, "net", 1, other), dnn::Error);
  fs::remove_all(name);
}
