#include "cloud/storage/snapshot.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace cloud;
using storage::IgnoreRules;

namespace {

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "cloud-snapshot-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    write_file(path / name, text);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& file : storage::list_snapshot(path)) result.push_back(file.name);
    return result;
  }
  fs::path path;
};

}  // namespace

TEST_CASE("ignore rules are gitignore's, and the last one counts", "[cloud][snapshot]") {
  const auto ignores = [](const char* rules, const char* path) { return IgnoreRules(rules).ignores(path); };
  CHECK(ignores("*.o", "a/b.o"));
  CHECK(!ignores("/b.o", "a/b.o"));
  CHECK(ignores("/b.o", "b.o"));
  CHECK(ignores("build/", "build/x/y"));
  CHECK(ignores("build/", "a/build/x"));
  CHECK(!ignores("build/", "build"));
  CHECK(ignores("build", "build/x"));
  CHECK(!ignores("a/*.o", "a/b/c.o"));
  CHECK(ignores("a/**/c.o", "a/c.o"));
  CHECK(ignores("a/**/c.o", "a/b/d/c.o"));
  CHECK(ignores("**/x", "x"));
  CHECK(ignores("a/**", "a/b/c"));
  CHECK(!ignores("a/**", "a"));
  CHECK(!ignores("*\n!*.cpp", "d/a.cpp"));
  CHECK(!ignores("data/\n!data/keep", "data/keep"));
  CHECK(ignores("!a\na", "a"));
  CHECK(ignores("f?le", "file"));
  CHECK(!ignores("f?le", "f/le"));
  CHECK(ignores("[a-c]x", "bx"));
  CHECK(!ignores("[!a-c]x", "bx"));
  CHECK(ignores("[]]x", "]x"));
  CHECK(ignores("[x", "[x"));
  CHECK(ignores("a\\*b", "a*b"));
  CHECK(!ignores("a\\*b", "axb"));
  CHECK(ignores("trail  ", "trail"));
  CHECK(ignores("trail\\ ", "trail "));
  CHECK(!ignores("# comment", "# comment"));
  CHECK(ignores("\\#x", "#x"));
  CHECK(ignores("x\r\ny\r\n", "x"));
  CHECK(!ignores("\n\n/\n!\n", "x"));
  CHECK(IgnoreRules("build/").ignores_folder("build"));
  CHECK(!IgnoreRules("build/\n!build/x").ignores_folder("build"));
}

TEST_CASE("a snapshot holds what its root's ignore file leaves, in the order of lower-cased names",
          "[cloud][snapshot]") {
  const Folder folder;
  CHECK_THROWS_AS(folder.names(), ConfigError);
  CHECK_THROWS_AS(storage::list_snapshot(folder.path / "none"), ConfigError);
  folder.write("B.txt", "b");
  folder.write("a.txt", "a");
  folder.write("sub/c.txt", "");
  folder.write("sub/.gitignore", "*");  // only the root's counts
  folder.write(".git/config", "x");
  folder.write(".gitignore", "a.txt\n");
  CHECK(folder.names() == std::vector<std::string>{".gitignore", "B.txt", "sub/.gitignore", "sub/c.txt"});
  folder.write(".amlignore", "B.txt\n.*ignore\n");
  CHECK(folder.names() == std::vector<std::string>{"a.txt", "sub/c.txt"});
  folder.write(".amlignore", "*\n");
  CHECK_THROWS_AS(folder.names(), ConfigError);
}

TEST_CASE("links are followed, but not in circles or to nowhere", "[cloud][snapshot]") {
  const Folder folder;
  folder.write("data/x", "x");
  fs::create_directory_symlink("data", folder.path / "also");
  CHECK(folder.names() == std::vector<std::string>{"also/x", "data/x"});
  fs::create_directory_symlink("..", folder.path / "data" / "up");
  CHECK_THROWS_AS(folder.names(), FileError);
  fs::remove(folder.path / "data" / "up");
  fs::create_symlink("/nowhere/x", folder.path / "dangling");
  CHECK_THROWS_AS(folder.names(), FileError);
}

TEST_CASE("the hash is the one that Azure's client computes", "[cloud][snapshot]") {
  const Folder folder;
  folder.write("b/X.txt", "hello");
  folder.write("a.txt", "12");
  // sha256("2" "#a.txt#2" "#b/X.txt#5" "12" "hello"), with Python's hashlib
  CHECK(storage::snapshot_hash(storage::list_snapshot(folder.path)) ==
        "48ea7401b6b105d1c62c3edba24d5e38fb6ce25758d01d14f740ebea7c29f5b0");
}
