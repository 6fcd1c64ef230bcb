#include "dnn/datasets/idx.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::parse_idx;

namespace {
using Bytes = std::vector<std::uint8_t>;

void refuses(const Bytes& bytes, const std::string& reason) {
  REQUIRE_THROWS_AS(parse_idx(bytes, "some/file"), FileError);
  REQUIRE_THROWS_WITH(parse_idx(bytes, "some/file"), ContainsSubstring("some/file") && ContainsSubstring(reason));
}
}  // namespace

TEST_CASE("an IDX file is its shape and its bytes, without a copy", "[idx]") {
  const Bytes bytes = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
  const auto idx = parse_idx(bytes, "file");
  CHECK(idx.shape == Shape{2, 3});
  REQUIRE(idx.data.size() == 6);
  CHECK(idx.data.data() == bytes.data() + 12);
  CHECK(idx.data[5] == 255);

  const auto empty = parse_idx(Bytes{0, 0, 8, 1, 0, 0, 0, 0}, "file");
  CHECK(empty.shape == Shape{0});
  CHECK(empty.data.empty());
}

TEST_CASE("malformed IDX files are named errors", "[idx]") {
  refuses({}, "too few");
  refuses({0, 0, 8}, "too few");
  refuses({0x1f, 0x8b, 8, 0}, "not an IDX file");
  refuses({0, 0, 13, 1, 0, 0, 0, 0}, "element type 13");
  refuses({0, 0, 8, 0}, "0 axes");
  refuses({0, 0, 8, 9}, "9 axes");
  refuses({0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0}, "header alone takes 12");
  refuses({0, 0, 8, 1, 0, 0, 0, 3, 1, 2}, "takes 3 bytes, but 2 follow");
  refuses({0, 0, 8, 1, 0, 0, 0, 1, 1, 2}, "takes 1 bytes, but 2 follow");
  // Sizes that no memory holds: refused by arithmetic, not by trying.
  refuses({0, 0, 8, 2, 255, 255, 255, 255, 0, 0, 0, 255, 7}, "but 1 follow");
  refuses({0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, "impossible shape");
}
