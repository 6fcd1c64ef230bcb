#include "dnn/serializers/atomic_file.hpp"

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
