#include "dnn/datasets/dataset.hpp"

#include <numeric>

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("an array is a data set of its rows", "[dataset]") {
  const Array rows = arange(0, 12, 1, float32).reshape({4, 3});
  const DatasetRef dataset = rows;
  REQUIRE(dataset.size() == 4);
  CHECK(array_equal(dataset[1][0], array({3.f, 4.f, 5.f})));
  CHECK(array_equal(dataset[-1][0], array({9.f, 10.f, 11.f})));
  CHECK(dataset[2][0].shares_storage(rows));
  CHECK_THROWS_WITH(dataset[4], ContainsSubstring("index 4 is out of range for 4 examples"));
  CHECK_THROWS_AS(dataset[-5], IndexError);
  CHECK_THROWS_AS(DatasetRef(scalar(1.0)), ArgumentError);
  CHECK_THROWS_AS(DatasetRef(std::shared_ptr<const datasets::ArrayDataset>()), ArgumentError);
}

TEST_CASE("gathering copies rows of any dtype and width", "[dataset]") {
  for (const DType dtype : {float32, float64, DType::float16, int64, uint8, boolean}) {
    const Array rows = arange(0, 35, 1, int64).reshape({7, 5}).to(dtype);
    const datasets::ArrayDataset dataset(rows);
    const std::vector<std::int64_t> indices = {6, 0, 0, 3};
    const Array batch = (*dataset.gather(indices))[0];
    REQUIRE(batch.shape() == Shape{4, 5});
    REQUIRE(batch.dtype() == dtype);
    for (std::int64_t i = 0; i < 4; ++i) CHECK(array_equal(batch[i], rows[indices[static_cast<std::size_t>(i)]]));
    CHECK_FALSE(batch.shares_storage(rows));
  }
  const datasets::ArrayDataset labels(arange(5)), hollow(zeros({3, 0, 2}));
  CHECK((*labels.gather(std::vector<std::int64_t>{4, 2}))[0].shape() == Shape{2});
  CHECK((*labels.gather({}))[0].shape() == Shape{0});
  CHECK((*hollow.gather(std::vector<std::int64_t>{2}))[0].shape() == Shape{1, 0, 2});
  CHECK_THROWS_AS(labels.gather(std::vector<std::int64_t>{5}), IndexError);
  CHECK_THROWS_AS(labels.gather(std::vector<std::int64_t>{-1}), IndexError);

  // Large enough for several threads.
  const Array wide = random::uniform({64, 100'000});
  std::vector<std::int64_t> backwards(64);
  std::iota(backwards.rbegin(), backwards.rend(), 0);
  const Array batch = (*datasets::ArrayDataset(wide).gather(backwards))[0];
  for (std::int64_t i = 0; i < 64; ++i) REQUIRE(array_equal(batch[i], wide[63 - i]));
}

TEST_CASE("examples hold arrays and numbers, by position and by name", "[dataset]") {
  const Example example(array({1.f, 2.f}), 3, 0.5f, true);
  REQUIRE(example.size() == 4);
  CHECK(array_equal(example[1], scalar(std::int64_t{3})));  // as Chainer's converter: int is int64, float is float64
  CHECK(example[2].dtype() == float64);
  CHECK(example[3].dtype() == boolean);
  CHECK_THROWS_WITH(example[4], ContainsSubstring("field 4 of 4"));
  CHECK_THROWS_AS(example[-1], IndexError);
  CHECK_THROWS_WITH(example["x"], ContainsSubstring("no field 'x'; there are no names"));

  auto named = Example::named({{"x", array({1.f})}, {"t", array({2})}});
  CHECK(named["t"].to("cpu").at<std::int32_t>(0) == 2);
  CHECK(named[0].to("cpu").at<float>(0) == 1);
  CHECK_THROWS_WITH(named["y"], ContainsSubstring("no field 'y'; there are x t"));
  CHECK_THROWS_AS(Example(1).set_names(named.names()), ArgumentError);
}

namespace {
struct Squares : Dataset {
  std::int64_t size() const override { return 5; }
  Example get(std::int64_t i) const override { return {i, i * i}; }
};
}  // namespace

TEST_CASE("a data set of one's own needs a size and a get", "[dataset]") {
  const DatasetRef dataset = Squares{};
  CHECK(dataset[-1][1].item<int>() == 16);
  Minibatch minibatch(dataset, {3, 1});
  CHECK(minibatch.size() == 2);
  CHECK(minibatch[0][1].item<int>() == 9);
  CHECK_FALSE(minibatch.gathered().has_value());
  minibatch.fetch();
  CHECK(minibatch[1][1].item<int>() == 1);
  CHECK_THROWS_AS(minibatch[2], IndexError);
  CHECK_THROWS_AS(Minibatch(dataset, {5})[0], IndexError);
  const Minibatch made(std::vector<Example>{{1}, {2}, {3}});
  CHECK(made.size() == 3);
  CHECK(made[2][0].item<int>() == 3);
}
