#include "dnn/datasets/tuple_dataset.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/transform_dataset.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::TupleDataset;

TEST_CASE("the i-th example joins the i-th rows", "[tuple_dataset]") {
  const TupleDataset dataset(arange(0, 6, 1, float32).reshape({3, 2}), arange(3));
  REQUIRE(dataset.size() == 3);
  CHECK(array_equal(dataset[1][0], array({2.f, 3.f})));
  CHECK(dataset[-1][1].item() == 2);
  const auto batch = dataset.gather(std::vector<std::int64_t>{2, 0});
  CHECK(array_equal((*batch)[0], array({{4.f, 5.f}, {0.f, 1.f}})));
  CHECK(array_equal((*batch)[1], array({std::int64_t{2}, std::int64_t{0}})));
}

TEST_CASE("columns can be data sets; copies are copies", "[tuple_dataset]") {
  const TupleDataset pair(arange(3), arange(3, 6)), three(pair, arange(3));
  CHECK(three[1].size() == 3);
  const TupleDataset copy(three), alone(arange(4));
  CHECK(copy[0].size() == 3);
  CHECK(alone[3].size() == 1);
  const datasets::TransformDataset slow(pair, [](const Example& e) { return e; });
  CHECK_FALSE(TupleDataset(slow, arange(3)).gather(std::vector<std::int64_t>{0}).has_value());
}

TEST_CASE("columns of different lengths are refused", "[tuple_dataset]") {
  CHECK_THROWS_WITH(TupleDataset(arange(3), arange(4)), ContainsSubstring("column 1 has 4 examples, column 0 has 3"));
  CHECK_THROWS_AS(TupleDataset(std::vector<DatasetRef>{}), ArgumentError);
}
