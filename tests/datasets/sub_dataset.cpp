#include "dnn/datasets/sub_dataset.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::SubDataset;

TEST_CASE("a part is a window, over an order if there is one", "[sub_dataset]") {
  const SubDataset plain(arange(10, 20), 3, 7);
  REQUIRE(plain.size() == 4);
  CHECK(plain[0][0].item() == 13);
  CHECK(plain[-1][0].item() == 16);
  CHECK_THROWS_AS(plain[4], IndexError);
  const auto batch = plain.gather(std::vector<std::int64_t>{3, 0});
  CHECK(array_equal((*batch)[0], array({std::int64_t{16}, std::int64_t{13}})));
  CHECK_THROWS_AS(plain.gather(std::vector<std::int64_t>{4}), IndexError);

  const SubDataset ordered(arange(4), 1, 3, std::vector<std::int64_t>{3, 2, 1, 0});
  CHECK(ordered[0][0].item() == 2);
  const SubDataset nested(ordered, 1, 2);
  CHECK(nested[0][0].item() == 1);
  CHECK(SubDataset(arange(4), 4, 4).size() == 0);
}

TEST_CASE("windows and orders that do not fit are refused", "[sub_dataset]") {
  CHECK_THROWS_AS(SubDataset(arange(4), -1, 2), ArgumentError);
  CHECK_THROWS_AS(SubDataset(arange(4), 3, 2), ArgumentError);
  CHECK_THROWS_WITH(SubDataset(arange(4), 0, 5), ContainsSubstring("5 > 4"));
  CHECK_THROWS_WITH(SubDataset(arange(4), 0, 4, std::vector<std::int64_t>{0, 1}), ContainsSubstring("2 != 4"));
  CHECK_THROWS_AS(SubDataset(arange(2), 0, 2, std::vector<std::int64_t>{0, 2}), IndexError);
}
