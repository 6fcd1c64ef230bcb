#include "dnn/datasets/concat_examples.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/tuple_dataset.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("fields of one shape are stacked", "[concat_examples]") {
  const std::vector<Example> examples = {{array({1.f, 2.f}), 7}, {array({3.f, 4.f}), -1}, {array({5.f, 6.f}), 0}};
  const Batch batch = concat_examples(examples);
  REQUIRE(batch.size() == 2);
  CHECK(array_equal(batch[0], array({{1.f, 2.f}, {3.f, 4.f}, {5.f, 6.f}})));
  CHECK(array_equal(batch[1], array({std::int64_t{7}, std::int64_t{-1}, std::int64_t{0}})));
  CHECK(concat_examples(std::vector<Example>{{zeros({0, 3})}, {zeros({0, 3})}})[0].shape() == Shape{2, 0, 3});
  CHECK(concat_examples(examples, {.device = Device{}})[0].shape() == Shape{3, 2});
}

TEST_CASE("names stay", "[concat_examples]") {
  const auto example = [](float x) { return Example::named({{"x", scalar(x)}, {"t", scalar(1)}}); };
  const Batch batch = concat_examples(std::vector{example(1), example(2)});
  CHECK(array_equal(batch["x"], array({1.f, 2.f})));
  CHECK_THROWS_WITH(concat_examples(std::vector{example(1), Example::named({{"y", scalar(1)}, {"t", scalar(1)}})}),
                    ContainsSubstring("different names"));
  CHECK_THROWS_AS(concat_examples(std::vector{example(1), Example(1, 2)}), ArgumentError);
}

TEST_CASE("dtypes are promoted as numpy.concatenate does", "[concat_examples]") {
  CHECK(concat_examples(std::vector<Example>{{array({1})}, {array({2.5})}})[0].dtype() == float64);
  CHECK(concat_examples(std::vector<Example>{{1}, {scalar(2)}})[0].dtype() == int64);
}

TEST_CASE("padding fills up to the largest size of each axis", "[concat_examples]") {
  // Chainer's concat_examples([[1, 2], [3, 4, 5, 6], [7]], padding=-1)
  const std::vector<Example> rows = {{array({1.f, 2.f})}, {array({3.f, 4.f, 5.f, 6.f})}, {array({7.f})}};
  CHECK(array_equal(concat_examples(rows, {.padding = -1})[0],
                    array({{1.f, 2.f, -1.f, -1.f}, {3.f, 4.f, 5.f, 6.f}, {7.f, -1.f, -1.f, -1.f}})));
  CHECK_THROWS_WITH(concat_examples(rows), ContainsSubstring("field 0: example 1 is float32 (4,)") &&
                                               ContainsSubstring("example 0 is float32 (2,)") &&
                                               ContainsSubstring(".padding"));

  const std::vector<Example> blocks = {{array({{1, 2, 3}}), array({1.})}, {array({{4}, {5}}), array({2.})}};
  const Batch batch = concat_examples(blocks, {.padding = {0, 9}});
  CHECK(array_equal(batch[0], array({{{1, 2, 3}, {0, 0, 0}}, {{4, 0, 0}, {5, 0, 0}}})));
  CHECK(array_equal(batch[1], array({{1.}, {2.}})));
  // With padding a field has the first example's dtype.
  CHECK(concat_examples(std::vector<Example>{{array({1})}, {array({2.5})}}, {.padding = 0})[0].dtype() == int32);
  CHECK(array_equal(concat_examples(std::vector<Example>{{zeros({0})}, {ones({1})}}, {.padding = 5})[0],
                    array({{5.f}, {1.f}})));

  CHECK_THROWS_WITH(concat_examples(blocks, {.padding = {1, 2, 3}}), ContainsSubstring("3 paddings for 2 fields"));
  CHECK_THROWS_AS(concat_examples(std::vector<Example>{{array({1})}, {scalar(1)}}, {.padding = 0}), ShapeError);
}

TEST_CASE("what cannot be joined is a named error", "[concat_examples]") {
  CHECK_THROWS_WITH(concat_examples(std::vector<Example>{}), ContainsSubstring("the batch is empty"));
  CHECK_THROWS_AS(concat_examples(Minibatch(std::vector<Example>{})), ArgumentError);
  CHECK_THROWS_WITH(concat_examples(std::vector<Example>{{1}, {1, 2}}), ContainsSubstring("2 != 1"));
}

TEST_CASE("gathered, fetched and example by example, a minibatch gives the same batch", "[concat_examples]") {
  const Array x = random::normal({9, 4}), t = arange(9, int32);
  const datasets::TupleDataset dataset(x, t);
  const std::vector<std::int64_t> indices = {8, 1, 1, 4, 0};
  Minibatch minibatch(dataset, indices);
  const Batch gathered = concat_examples(minibatch);
  minibatch.fetch();
  const Batch fetched = concat_examples(minibatch);
  std::vector<Example> examples;
  for (const auto i : indices) examples.push_back(dataset[i]);
  const Batch joined = concat_examples(Minibatch(examples));
  const Batch converted = concat_converter()(minibatch, Device{});
  for (std::size_t field = 0; field < 2; ++field) {
    CHECK(array_equal(gathered[field], joined[field]));
    CHECK(array_equal(fetched[field], joined[field]));
    CHECK(array_equal(converted[field], joined[field]));
  }
}
