#include "cloud/core/file.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/secret.hpp"
#include "cloud/core/sha256.hpp"

using namespace cloud;

namespace {

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "cloud-file-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

}  // namespace

TEST_CASE("a name from elsewhere stays in the folder or is refused", "[cloud][file]") {
  for (const char* name : {"a", "a/b.npz", "outputs/model 1.npz", "..a", "a..", ".hidden", "ü/é"}) {
    INFO(name);
    CHECK(is_safe_name(name));
  }
  const std::string zero("a\0b", 3);
  for (const std::string& name :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."), std::string(".."),
        std::string("a/../b"), std::string("a/./b"), std::string("a\\b"), std::string("C:/x"), std::string("c:x"),
        std::string("a\nb"), std::string("a\x7f"), zero, std::string(300, 'a'), std::string(2000, '/')}) {
    INFO(name);
    CHECK(!is_safe_name(name));
  }
  const Folder folder;
  CHECK(safe_join(folder.path, "a/b") == folder.path / "a" / "b");
  CHECK_THROWS_AS(safe_join(folder.path, "../b"), FileError);
  fs::create_directory_symlink("/", folder.path / "link");
  CHECK_THROWS_AS(safe_join(folder.path, "link/etc"), FileError);
  CHECK_THROWS_AS(safe_join(folder.path, "link"), FileError);
}

TEST_CASE("a file is replaced when its successor is complete, or not at all", "[cloud][file]") {
  const Folder folder;
  const fs::path file = folder.path / "f";
  write_file(file, "one", 0600);
  CHECK(read_file(file) == "one");
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK_THROWS_AS(replace_file(file,
                               [](const fs::path& temporary) {
                                 write_file(temporary, "half");
                                 throw Error("x", "y");
                               }),
                  Error);
  CHECK(read_file(file) == "one");
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
  const std::string bytes("a\0b\xff", 4);
  write_file(file, bytes);
  CHECK(read_file(file) == bytes);
  copy_whole_file(file, folder.path / "new" / "g");
  CHECK(read_file(folder.path / "new" / "g") == bytes);
  CHECK_THROWS_AS(read_file(folder.path / "none"), FileError);
  CHECK_THROWS_AS(write_file(folder.path / "none" / "f", "x"), FileError);
}

TEST_CASE("digests are those of others", "[cloud][sha256]") {
  // sha256sum and md5sum of coreutils
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Digest md5 = Digest::md5();
  md5.add("ab");
  md5.add("c");
  CHECK(md5.hex() == "900150983cd24fb0d6963f7d28e17f72");
  const Folder folder;
  write_file(folder.path / "f", std::string(200'000, 'x'));
  CHECK(sha256_file(folder.path / "f") == sha256(std::string(200'000, 'x')));
  CHECK_THROWS_AS(sha256_file(folder.path / "none"), FileError);
}

TEST_CASE("a secret prints as stars", "[cloud][secret]") {
  const Secret secret("hunter2");
  std::ostringstream out;
  out << secret << Secret();
  CHECK(out.str() == "***");
  CHECK(secret.reveal() == "hunter2");
  CHECK(secret.redact("is hunter2hunter2!") == "is ******!");
  CHECK(Secret().redact("text") == "text");
  CHECK(secret == Secret("hunter2"));
  CHECK(!(secret == Secret("hunter3")));
  CHECK(!(secret == Secret("hunter")));
  Secret moved = secret;
  const Secret taken = std::move(moved);
  CHECK(taken == secret);
}

TEST_CASE("an error says what is known, and only that", "[cloud][error]") {
  CHECK(std::string(Error("try", "why").what()) == "[try] why");
  CHECK(std::string(Error({.tried = "get x",
                           .status = 403,
                           .code = "Forbidden",
                           .message = "no",
                           .request_id = "id",
                           .attempts = 3})
                        .what()) == "[get x] HTTP 403 Forbidden: no (request id id, 3 attempts)");
  CHECK(std::string(Error({.tried = "get x", .status = 502}).what()) == "[get x] HTTP 502: no further message");
}

TEST_CASE("GUIDs are of version 4 and differ", "[cloud][guid]") {
  const std::string id = guid();
  REQUIRE(id.size() == 36);
  CHECK(id[8] == '-');
  CHECK(id[14] == '4');
  CHECK(std::string("89ab").find(id[19]) != std::string::npos);
  CHECK(id != guid());
}
