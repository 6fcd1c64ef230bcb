#include "dnn/datasets/concatenated_dataset.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/concat_examples.hpp"

using namespace dnn;
using datasets::ConcatenatedDataset;

TEST_CASE("data sets one after the other", "[concatenated_dataset]") {
  const ConcatenatedDataset dataset(arange(2), arange(0), arange(10, 13)), copy(dataset);
  REQUIRE(copy.size() == 5);
  CHECK(dataset[1][0].item() == 1);
  CHECK(dataset[2][0].item() == 10);
  CHECK(dataset[-1][0].item() == 12);
  CHECK_THROWS_AS(dataset[5], IndexError);
  CHECK(array_equal(concat_examples(Minibatch(dataset, {4, 0, 2}))[0],
                    array({std::int64_t{12}, std::int64_t{0}, std::int64_t{10}})));
  CHECK(ConcatenatedDataset(std::vector<DatasetRef>{}).size() == 0);
}
