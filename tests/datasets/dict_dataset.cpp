#include "dnn/datasets/dict_dataset.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/concat_examples.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::DictDataset;

TEST_CASE("fields have names, in examples and batches", "[dict_dataset]") {
  const DictDataset dataset({{"x", arange(0, 6, 1, float32).reshape({3, 2})}, {"t", arange(3)}});
  REQUIRE(dataset.size() == 3);
  CHECK(array_equal(dataset[2]["x"], array({4.f, 5.f})));
  const Batch batch = concat_examples(Minibatch(dataset, {1, 2}));
  CHECK(array_equal(batch["t"], array({std::int64_t{1}, std::int64_t{2}})));
  CHECK(array_equal(batch[0], batch["x"]));
}

TEST_CASE("columns that do not fit are refused", "[dict_dataset]") {
  CHECK_THROWS_AS(DictDataset({{"x", arange(3)}, {"t", arange(2)}}), ArgumentError);
  CHECK_THROWS_AS(DictDataset({}), ArgumentError);
  CHECK_THROWS_WITH(DictDataset({{"x", datasets::TupleDataset(arange(2), arange(2))}}),
                    ContainsSubstring("column 'x' has 2 fields"));
}
