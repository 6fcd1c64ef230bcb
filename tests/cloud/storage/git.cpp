#include "cloud/storage/git.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cloud/contract_server.hpp"

using namespace cloud;
using cloud::test::Folder;

TEST_CASE("a source directory's commit is noted, without passwords", "[cloud][storage]") {
  const Folder folder;
  const auto git = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"git", "-C", folder.path.string(), "-c", "user.name=n", "-c", "user.email=e@x"});
    return run_program(arguments, std::chrono::seconds(10)).exit_code == 0;
  };
  CHECK(storage::git_facts(folder.path).empty());
  if (!git({"init", "-q", "-b", "work"})) {
    WARN("skipped: there is no git");
    return;
  }
  CHECK(storage::git_facts(folder.path).empty());  // no commit yet
  folder.write("a", "1");
  REQUIRE(git({"add", "a"}));
  REQUIRE(git({"commit", "-q", "-m", "m"}));
  REQUIRE(git({"remote", "add", "origin", "https://me:hush@example.com/a@b.git"}));
  auto facts = storage::git_facts(folder.path);
  CHECK(facts["mlflow.source.git.commit"].size() == 40);
  CHECK(facts["mlflow.source.git.branch"] == "work");
  CHECK(facts["mlflow.source.git.repoURL"] == "https://example.com/a@b.git");
  CHECK(facts["azureml.git.dirty"] == "False");
  folder.write("a", "2");
  CHECK(storage::git_facts(folder.path)["azureml.git.dirty"] == "True");
  REQUIRE(git({"checkout", "-q", "--detach"}));
  CHECK_FALSE(storage::git_facts(folder.path).contains("mlflow.source.git.branch"));
}
