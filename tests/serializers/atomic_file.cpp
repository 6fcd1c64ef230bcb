#include "dnn/serializers/atomic_file.hpp"

#include <sys/stat.h>

#include "catch.hpp"
#include "files.hpp"

using dnn::serializers::replace_file;

TEST_CASE("replace_file puts the new content in place and leaves nothing else", "[atomic_file]") {
  const files::TemporaryFolder folder;
  const auto path = folder / "file";
  for (const char* content : {"first", "second, longer", ""}) {
    replace_file(path, [&](const auto& temporary) {
      REQUIRE(temporary.parent_path() == path.parent_path());
      files::write(temporary, content);
    });
    CHECK(files::read(path) == content);
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("the old file survives a writer that fails half-way", "[atomic_file]") {
  const files::TemporaryFolder folder;
  const auto path = folder / "file";
  files::write(path, "old");
  CHECK_THROWS_WITH(replace_file(path,
                                 [](const auto& temporary) {
                                   files::write(temporary, "half");
                                   throw std::runtime_error("disk full");
                                 }),
                    "disk full");
  CHECK(files::read(path) == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("replace_file names the file it cannot write or replace", "[atomic_file]") {
  const files::TemporaryFolder folder;
  const auto write = [](const auto& temporary) { files::write(temporary, "new"); };
  CHECK_THROWS_AS(replace_file(folder / "missing" / "file", write), dnn::FileError);

  std::filesystem::create_directory(folder / "occupied");
  files::write(folder / "occupied" / "file", "");
  CHECK_THROWS_WITH(replace_file(folder / "occupied", write),
                    Catch::Matchers::ContainsSubstring("occupied") && Catch::Matchers::ContainsSubstring("replaced"));
  CHECK(folder.count() == 1);
}

TEST_CASE("replace_file writes through symbolic links", "[atomic_file]") {
  const files::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "data");
  files::write(folder / "data" / "file", "old");
  std::filesystem::create_symlink("data/file", folder / "link");
  std::filesystem::create_symlink(folder / "link", folder / "link to link");
  replace_file(folder / "link to link", [](const auto& temporary) { files::write(temporary, "new"); });
  CHECK(files::read(folder / "data" / "file") == "new");
  CHECK(std::filesystem::read_symlink(folder / "link") == "data/file");
  CHECK(folder.count() == 3);

  std::filesystem::create_symlink("data/missing", folder / "dangling");
  replace_file(folder / "dangling", [](const auto& temporary) { files::write(temporary, "made"); });
  CHECK(files::read(folder / "data" / "missing") == "made");
  CHECK(std::filesystem::is_symlink(folder / "dangling"));
}

TEST_CASE("replace_file leaves alone what is no regular file", "[atomic_file]") {
  const files::TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("pipe", folder / "link");
  std::filesystem::create_symlink("circle", folder / "circle");
  for (const char* name : {"pipe", "link", "circle"}) {
    bool called = false;
    CHECK_THROWS_AS(replace_file(folder / name, [&](const auto&) { called = true; }), dnn::FileError);
    CHECK_FALSE(called);
  }
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
  CHECK(folder.count() == 3);
}

TEST_CASE("create_folder makes folders, and says why it cannot", "[atomic_file]") {
  const files::TemporaryFolder folder;
  dnn::serializers::create_folder(folder / "a/b/c");
  dnn::serializers::create_folder(folder / "a/b/c");
  dnn::serializers::create_folder("");
  CHECK(std::filesystem::is_directory(folder / "a/b/c"));
  files::write(folder / "file", "");
  for (const char* name : {"file", "file/below"}) {
    CHECK_THROWS_WITH(dnn::serializers::create_folder(folder / name),
                      Catch::Matchers::ContainsSubstring(name) && Catch::Matchers::ContainsSubstring("another folder"));
  }
  CHECK_THROWS_AS(dnn::serializers::create_folder("/proc/dnn"), dnn::FileError);
}
