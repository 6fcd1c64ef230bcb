#include "cloud/backend/config.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace cloud;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "cloud-config-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    write_file(path / name, text);
    return path / name;
  }
  fs::path path;
};

}  // namespace

TEST_CASE("config.json is found as Azure's SDK finds it", "[cloud][config]") {
  const Folder folder;
  const fs::path here = folder.path / "a" / "b";
  fs::create_directories(here);
  std::vector<std::string> searched;
  CHECK(!find_config(here, "", &searched));
  CHECK(searched.size() == 6);
  const fs::path top_project = folder.write("project.json", "{}");
  CHECK(find_config(here) == top_project);
  const fs::path top_config = folder.write("config.json", "{}");
  CHECK(find_config(here) == top_config);
  const fs::path near_project = folder.write("a/b/project.json", "{}");
  CHECK(find_config(here) == top_config);  // every config.json comes before any project.json
  const fs::path aml = folder.write("aml_config/project.json", "{}");
  CHECK(find_config(here) == aml);
  const fs::path azureml = folder.write("a/.azureml/config.json", "{}");
  CHECK(find_config(here) == azureml);
  CHECK(find_config(near_project) == near_project);
  CHECK(!find_config(here, "other.json"));
  const fs::path other = folder.write("a/other.json", "{}");
  CHECK(find_config(here, "other.json") == other);
}

TEST_CASE("config.json is read in both forms, and what is missing is named", "[cloud][config]") {
  const Folder folder;
  const auto read = [&](const std::string& text) { return read_config(folder.write("config.json", text)); };
  WorkspaceConfig config =
      read("\xEF\xBB\xBF{\"subscription_id\":\"s\",\"resource_group\":\"g\",\"workspace_name\":\"w\"}");
  CHECK(config.subscription_id == "s");
  CHECK(config.resource_group == "g");
  CHECK(config.workspace_name == "w");
  config = read(R"({"subscription_id":"s","resource_group":"g","workspace_name":"w","project_name":"p"})");
  CHECK(config.workspace_name == "p");
  config =
      read(R"({"Scope":"/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W"})");
  CHECK(config.subscription_id == "S");
  CHECK(config.resource_group == "G");
  CHECK(config.workspace_name == "W");
  CHECK_THROWS_WITH(read(R"({"subscription_id":"s","resource_group":null,"workspace_name":"w"})"),
                    ContainsSubstring("resource_group"));
  CHECK_THROWS_AS(read("[]"), ConfigError);
  CHECK_THROWS_AS(read("{"), ConfigError);
  CHECK_THROWS_AS(read(R"({"Scope":"/subscriptions/S"})"), ConfigError);
  CHECK_THROWS_AS(read_config(folder.path / "none"), FileError);
}
