#include "dnn/datasets/gzip.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::gunzip;

namespace {
// printf 'hello, hello, hello, hello\n' | gzip -n9
const std::vector<std::uint8_t> hello = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                         0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0xc0, 0xa4,
                                         0xb8, 0x00, 0x4b, 0x21, 0xa1, 0x29, 0x1b, 0x00, 0x00, 0x00};

std::vector<std::uint8_t> gzip_zeros(std::size_t count) {
  const std::vector<std::uint8_t> zeros(count);
  std::vector<std::uint8_t> out(count / 100 + 1000);
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = const_cast<Bytef*>(zeros.data());
  stream.avail_in = static_cast<uInt>(count);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
}  // namespace

TEST_CASE("what gzip wrote is read", "[gzip]") {
  CHECK(datasets::is_gzip(hello));
  const auto out = gunzip(hello, 100, "f");
  CHECK(std::string(out.begin(), out.end()) == "hello, hello, hello, hello\n");
  CHECK(gunzip(hello, 27, "f").size() == 27);
  CHECK(gunzip(gzip_zeros(0), 0, "f").empty());
  CHECK(gunzip(gzip_zeros(1'000'000), 1'000'000, "f") == std::vector<std::uint8_t>(1'000'000));
}

TEST_CASE("output is bounded", "[gzip]") {
  CHECK_THROWS_WITH(gunzip(hello, 26, "f"), ContainsSubstring("more than 26 bytes"));
  CHECK_THROWS_WITH(gunzip(hello, 0, "f"), ContainsSubstring("more than 0 bytes"));
  CHECK_THROWS_AS(gunzip(gzip_zeros(50'000'000), 1000, "bomb"), FileError);
}

TEST_CASE("every truncation and every damaged byte is noticed or harmless", "[gzip]") {
  for (std::size_t length = 0; length < hello.size(); ++length) {
    const std::vector<std::uint8_t> part(hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK_THROWS_WITH(gunzip(part, 100, "some/file"), ContainsSubstring("some/file: truncated"));
  }
  for (std::size_t i = 0; i < hello.size(); ++i) {
    auto damaged = hello;
    damaged[i] ^= 0x55;
    try {
      const auto out = gunzip(damaged, 100, "f");
      CHECK(i < 10);  // fields of the header that say nothing about the contents
      CHECK(out.size() == 27);
    } catch (const FileError&) {
    }
  }
  auto longer = hello;
  longer.push_back(0);
  CHECK_THROWS_WITH(gunzip(longer, 100, "f"), ContainsSubstring("1 bytes after the end"));
  CHECK_THROWS_WITH(gunzip(std::vector<std::uint8_t>{1, 2, 3, 4}, 100, "f"), ContainsSubstring("damaged"));
}
