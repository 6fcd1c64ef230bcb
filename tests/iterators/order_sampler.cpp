#include "dnn/iterators/order_sampler.hpp"

#include <algorithm>
#include <array>

#include "catch.hpp"

using namespace dnn;
using iterators::ShuffleOrderSampler;
using Indices = std::vector<std::int64_t>;

TEST_CASE("a shuffled order is a permutation that seed and epoch determine", "[order_sampler]") {
  const ShuffleOrderSampler sampler(1);
  Indices ascending(100);
  for (std::size_t i = 0; i < 100; ++i) ascending[i] = static_cast<std::int64_t>(i);
  const auto first = sampler(ascending, 0, 0), second = sampler(first, 97, 1);
  CHECK(first != ascending);
  CHECK(second != first);
  for (auto order : {first, second}) {
    std::sort(order.begin(), order.end());
    CHECK(order == ascending);
  }
  CHECK(sampler(ascending, 5, 1) == second);
  CHECK(ShuffleOrderSampler(1)(second, 0, 0) == first);
  CHECK(ShuffleOrderSampler(2)(ascending, 0, 0) != first);
  CHECK(sampler({}, 0, 0).empty());
  CHECK(sampler(Indices{0}, 0, 3) == Indices{0});
}

TEST_CASE("every place gets every example equally often", "[order_sampler]") {
  const ShuffleOrderSampler sampler(7);
  const Indices ascending = {0, 1, 2, 3};
  std::array<std::array<int, 4>, 4> counts{};
  for (std::int64_t epoch = 0; epoch < 4000; ++epoch) {
    const auto order = sampler(ascending, 0, epoch);
    for (std::size_t i = 0; i < 4; ++i) ++counts[i][static_cast<std::size_t>(order[i])];
  }
  for (const auto& row : counts) {
    for (const int count : row) CHECK(std::abs(count - 1000) < 137);  // five standard deviations
  }
}

TEST_CASE("the default seed comes from the default generator", "[order_sampler]") {
  const Indices ascending = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  seed(11);
  const auto a = ShuffleOrderSampler()(ascending, 0, 0), b = ShuffleOrderSampler()(ascending, 0, 0);
  CHECK(a != b);
  seed(11);
  CHECK(ShuffleOrderSampler()(ascending, 0, 0) == a);
}
