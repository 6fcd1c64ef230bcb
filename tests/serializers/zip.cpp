#include "dnn/serializers/zip.hpp"

#include "catch.hpp"
#include "files.hpp"

using namespace dnn::serializers;
using Catch::Matchers::ContainsSubstring;

namespace {

ZipEntry entry(std::string name, std::string head, std::string_view body = {}) {
  return {std::move(name), std::move(head), std::as_bytes(std::span(body)), nullptr};
}
std::string contents(const ZipReader& archive, std::string_view name) {
  const auto source = archive.open(name);
  std::string out(static_cast<std::size_t>(source->size()), '\0');
  source->read(std::as_writable_bytes(std::span(out)));
  source->expect_end();
  return out;
}
ZipReader in_memory(const std::string& bytes) { return {std::as_bytes(std::span(bytes)), "memory.zip"}; }

/// Overwrites a little-endian field `at` bytes behind the first `signature`.
void patch(std::string& bytes, std::string_view signature, std::size_t at, std::uint32_t value, std::size_t width) {
  const std::size_t start = bytes.find(signature);
  REQUIRE(start != std::string::npos);
  for (std::size_t i = 0; i < width; ++i) bytes[start + at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}
constexpr std::string_view local_header("PK\3\4"), central_header("PK\1\2");

std::string archive_of(std::string_view content, bool deflate) {
  const files::TemporaryFolder folder;
  write_zip(folder / "a.zip", std::vector{entry("a", "", content)}, deflate);
  return files::read(folder / "a.zip");
}

}  // namespace

TEST_CASE("a zip archive gives back its members, stored and deflated", "[zip]") {
  const files::TemporaryFolder folder;
  const std::string large(100'000, 'x');
  const std::vector entries{entry("head only", "head"), entry("both", "head,", "body"), entry("empty", ""),
                            entry("deep/er/\xc3\xa9", "", large)};
  for (const bool deflate : {false, true}) {
    const auto path = folder / "a.zip";
    write_zip(path, entries, deflate);
    const ZipReader archive(path);
    CHECK(archive.members().size() == 4);
    CHECK(contents(archive, "head only") == "head");
    CHECK(contents(archive, "both") == "head,body");
    CHECK(contents(archive, "empty").empty());
    CHECK(contents(archive, "deep/er/\xc3\xa9") == large);
    CHECK_FALSE(archive.contains("other"));
    CHECK((files::read(path).size() < large.size()) == deflate);
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("an archive without members is a file, and reads as one", "[zip]") {
  const files::TemporaryFolder folder;
  write_zip(folder / "empty.zip", {}, true);
  CHECK(files::read(folder / "empty.zip").size() == 22);
  CHECK(ZipReader(folder / "empty.zip").members().empty());
}

TEST_CASE("equal content gives equal bytes, dated 1980", "[zip]") {
  const std::string bytes = archive_of("content", true);
  CHECK(bytes == archive_of("content", true));
  CHECK(bytes.substr(10, 4) == std::string("\0\0\x21\0", 4));
}

TEST_CASE("70,000 members need and get ZIP64", "[zip]") {
  const files::TemporaryFolder folder;
  std::vector<ZipEntry> entries;
  for (int i = 0; i < 70'000; ++i) entries.push_back(entry(std::to_string(i), std::to_string(i)));
  write_zip(folder / "many.zip", entries, false);
  CHECK(files::read(folder / "many.zip").find("PK\6\6") != std::string::npos);
  const ZipReader archive(folder / "many.zip");
  CHECK(archive.members().size() == 70'000);
  CHECK(contents(archive, "69999") == "69999");
}

TEST_CASE("what is no archive is named", "[zip]") {
  const files::TemporaryFolder folder;
  const auto path = folder / "bad.npz";
  CHECK_THROWS_WITH(ZipReader(path), ContainsSubstring("bad.npz") && ContainsSubstring("No such file"));
  const std::string whole = archive_of("some content that is long enough", false);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    files::write(path, std::string_view(whole).substr(0, size));
    CHECK_THROWS_AS(ZipReader(path), dnn::FileError);
  }
  CHECK_THROWS_WITH(in_memory("hello"), ContainsSubstring("memory.zip"));
}

TEST_CASE("declared sizes are not believed", "[zip]") {
  const std::string content(5000, 'a');
  SECTION("more than the compressed bytes can hold") {
    std::string bytes = archive_of(content, true);
    patch(bytes, central_header, 24, 0x7fffffff, 4);
    CHECK_THROWS_WITH(in_memory(bytes).open("a"), ContainsSubstring("'a'") && ContainsSubstring("cannot hold"));
  }
  SECTION("more compressed bytes than the file has") {
    std::string bytes = archive_of(content, true);
    patch(bytes, central_header, 20, 0x7fffffff, 4);
    patch(bytes, central_header, 24, 0x7fffffff, 4);
    CHECK_THROWS_AS(in_memory(bytes).open("a"), dnn::FileError);
  }
  SECTION("stored with two sizes") {
    std::string bytes = archive_of(content, false);
    patch(bytes, central_header, 24, 4999, 4);
    CHECK_THROWS_WITH(in_memory(bytes).open("a"), ContainsSubstring("declares 4999"));
  }
  SECTION("somewhat more than there is") {
    std::string bytes = archive_of(content, true);
    patch(bytes, central_header, 24, 5001, 4);
    const auto archive = in_memory(bytes);
    CHECK_THROWS_AS(contents(archive, "a"), dnn::FileError);
  }
}

TEST_CASE("damaged and unusual members are errors", "[zip]") {
  SECTION("checksum") {
    std::string bytes = archive_of("precious content", false);
    bytes[bytes.find("precious")] = 'P';
    const auto archive = in_memory(bytes);
    CHECK_THROWS_WITH(contents(archive, "a"), ContainsSubstring("CRC"));
  }
  SECTION("unknown method") {
    std::string bytes = archive_of("content", true);
    patch(bytes, central_header, 10, 12, 2);
    patch(bytes, local_header, 8, 12, 2);
    CHECK_THROWS_WITH(in_memory(bytes).open("a"), ContainsSubstring("method 12"));
  }
  SECTION("encrypted") {
    std::string bytes = archive_of("content, long enough for a key", false);
    patch(bytes, central_header, 8, 1, 2);
    patch(bytes, local_header, 6, 1, 2);
    CHECK_THROWS_AS(in_memory(bytes).open("a"), dnn::FileError);
  }
  SECTION("missing") {
    CHECK_THROWS_WITH(in_memory(archive_of("", false)).open("b"), ContainsSubstring("'b' is missing"));
  }
}

TEST_CASE("two members of one name: the last counts", "[zip]") {
  const files::TemporaryFolder folder;
  write_zip(folder / "a.zip", std::vector{entry("a", "first"), entry("b", "second")}, false);
  std::string bytes = files::read(folder / "a.zip");
  const std::size_t at = bytes.rfind("PK\1\2");
  bytes[at + 46] = 'a';
  CHECK(contents(in_memory(bytes), "a") == "second");
}

TEST_CASE("a failed write leaves the old archive", "[zip]") {
  const files::TemporaryFolder folder;
  write_zip(folder / "a.zip", std::vector{entry("a", "old")}, false);
  const std::vector twice{entry("b", "new"), entry("b", "new")};
  CHECK_THROWS_WITH(write_zip(folder / "a.zip", twice, false), ContainsSubstring("a.zip") && ContainsSubstring("'b'"));
  CHECK(contents(ZipReader(folder / "a.zip"), "a") == "old");
  CHECK(folder.count() == 1);
}
