#include "dnn/datasets/transform_dataset.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/concat_examples.hpp"

using namespace dnn;
using datasets::TransformDataset;

TEST_CASE("the transform is applied at every access", "[transform_dataset]") {
  int calls = 0;
  const TransformDataset dataset(arange(5), [&](const Example& example) {
    ++calls;
    return Example(example[0].item() * 2, 1);
  });
  CHECK(dataset.size() == 5);
  CHECK(calls == 0);
  CHECK(dataset[-1][0].item() == 8);
  CHECK(dataset[4].size() == 2);
  CHECK(calls == 2);
  CHECK(array_equal(concat_examples(Minibatch(dataset, {1, 3}))[0], array({2., 6.})));
  CHECK_THROWS_AS(dataset[5], IndexError);
  CHECK_THROWS_AS(TransformDataset(arange(5), nullptr), ArgumentError);
}
