#include "dnn/datasets/split_dataset.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace dnn;
using namespace dnn::datasets;
using Indices = std::vector<std::int64_t>;

namespace {
Indices contents(const SubDataset& part) {
  Indices out;
  for (std::int64_t i = 0; i < part.size(); ++i) out.push_back(part[i][0].item<std::int64_t>());
  return out;
}
}  // namespace

TEST_CASE("the random order is NumPy's", "[split_dataset]") {
  // numpy.random.RandomState(seed).permutation(n)
  CHECK(numpy_permutation(11, 7) == Indices{8, 5, 0, 2, 1, 10, 7, 3, 6, 9, 4});
  CHECK(numpy_permutation(3, 4294967295u) == Indices{1, 0, 2});
  const auto order = numpy_permutation(1000, 123);
  CHECK(Indices(order.begin(), order.begin() + 5) == Indices{131, 203, 50, 585, 138});
  CHECK(Indices(order.end() - 5, order.end()) == Indices{988, 322, 382, 365, 510});
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < order.size(); ++i) sum += static_cast<std::int64_t>(i) * order[i];
  CHECK(sum == 247982031);
  CHECK(numpy_permutation(0, 1).empty());
  CHECK(numpy_permutation(1, 1) == Indices{0});
}

TEST_CASE("two parts, as Chainer splits range(11)", "[split_dataset]") {
  const auto [a, b] = split_dataset(arange(11), 4, {3, 1, 4, 0, 5, 9, 2, 6, 10, 8, 7});
  CHECK(contents(a) == Indices{3, 1, 4, 0});
  CHECK(contents(b) == Indices{5, 9, 2, 6, 10, 8, 7});
  const auto [c, d] = split_dataset_random(arange(11), 4, 7);
  CHECK(contents(c) == Indices{8, 5, 0, 2});
  CHECK(contents(d) == Indices{1, 10, 7, 3, 6, 9, 4});
  CHECK(split_dataset(arange(3), 0).second.size() == 3);
  CHECK_THROWS_AS(split_dataset(arange(3), 3), ArgumentError);
  CHECK_THROWS_AS(split_dataset(arange(3), -1), ArgumentError);
}

TEST_CASE("without a seed the split follows the default generator", "[split_dataset]") {
  seed(3);
  const auto first = contents(split_dataset_random(arange(50), 20).first);
  const auto second = contents(split_dataset_random(arange(50), 20).first);
  CHECK(first != second);
  seed(3);
  CHECK(contents(split_dataset_random(arange(50), 20).first) == first);
}

TEST_CASE("n parts drop the remainder", "[split_dataset]") {
  const auto parts = split_dataset_n(arange(11), 3);
  REQUIRE(parts.size() == 3);
  CHECK(contents(parts[0]) == Indices{0, 1, 2});
  CHECK(contents(parts[2]) == Indices{6, 7, 8});
  const auto random = split_dataset_n_random(arange(11), 2, 7);
  CHECK(contents(random[1]) == Indices{10, 7, 3, 6, 9});
  CHECK_THROWS_AS(split_dataset_n(arange(3), 0), ArgumentError);
  CHECK(split_dataset_n(arange(2), 3)[2].size() == 0);
}

TEST_CASE("cross-validation as Chainer folds range(11) in three", "[split_dataset]") {
  const auto folds = get_cross_validation_datasets(arange(11), 3);
  REQUIRE(folds.size() == 3);
  CHECK(contents(folds[0].first) == Indices{0, 1, 2, 3, 4, 5, 6});
  CHECK(contents(folds[0].second) == Indices{7, 8, 9, 10});
  CHECK(contents(folds[1].first) == Indices{7, 8, 9, 10, 0, 1, 2});
  CHECK(contents(folds[1].second) == Indices{3, 4, 5, 6});
  CHECK(contents(folds[2].first) == Indices{3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(contents(folds[2].second) == Indices{0, 1, 2});

  Indices tested;
  for (const auto& [train, test] : get_cross_validation_datasets_random(arange(13), 4, 1)) {
    CHECK(train.size() + test.size() == 13);
    for (const auto i : contents(test)) tested.push_back(i);
  }
  std::sort(tested.begin(), tested.end());
  CHECK(tested == Indices{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK_THROWS_AS(get_cross_validation_datasets(arange(3), 4), ArgumentError);
  CHECK_THROWS_AS(get_cross_validation_datasets(arange(3), 0), ArgumentError);
}
