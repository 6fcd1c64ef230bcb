#include "dnn/functions/array/transpose.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {
/// out[i, j, k] = x[k, i, j], element by element.
Array rotated(const Array& x) {
  Array y({x.shape()[1], x.shape()[2], x.shape()[0]}, float64);
  for (std::int64_t i = 0; i < y.shape()[0]; ++i) {
    for (std::int64_t j = 0; j < y.shape()[1]; ++j) {
      for (std::int64_t k = 0; k < y.shape()[2]; ++k) y.at<double>(i, j, k) = x.at<double>(k, i, j);
    }
  }
  return y;
}
}  // namespace

TEST_CASE("transpose permutes axes", "[transpose]") {
  testing::run({.name = "transpose",
                .op =
                    [](const Variable& x) {
                      return transpose(x, {1, -1, 0});
                    },
                .array_reference = [](const Arrays& x) { return Arrays{rotated(x[0])}; },
                .shapes = {{{2, 3, 4}}, {{33, 1, 65}}, {{2, 0, 3}}}});
  const Array x = array({{1, 2, 3}, {4, 5, 6}});
  CHECK(array_equal(transpose(x).array(), array({{1, 4}, {2, 5}, {3, 6}})));
  CHECK(transpose(ones({2, 3, 4})).shape() == Shape{4, 3, 2});
  CHECK(transpose(full({}, 1.f)).ndim() == 0);
  CHECK(array_equal(transpose(array({true, false})).array(), array({true, false})));
}

TEST_CASE("swapaxes, moveaxis, rollaxis", "[transpose]") {
  const Array x = ones({2, 3, 4, 5});
  CHECK(swapaxes(x, 0, -1).shape() == Shape{5, 3, 4, 2});
  CHECK(moveaxis(x, 0, 2).shape() == Shape{3, 4, 2, 5});
  CHECK(moveaxis(x, {0, 1}, {-1, -2}).shape() == Shape{4, 5, 3, 2});
  CHECK(rollaxis(x, 3).shape() == Shape{5, 2, 3, 4});
  CHECK(rollaxis(x, 1, 4).shape() == Shape{2, 4, 5, 3});
  CHECK(rollaxis(x, 2, 1).shape() == Shape{2, 4, 3, 5});
}

TEST_CASE("transpose: axes that cannot be", "[transpose]") {
  const Array x = ones({2, 3});
  CHECK_THROWS_AS(transpose(x, {0, 0}), ArgumentError);
  CHECK_THROWS_AS(transpose(x, {0}), ArgumentError);
  CHECK_THROWS_AS(transpose(x, {0, 2}), IndexError);
  CHECK_THROWS_AS(moveaxis(x, {0, 0}, {0, 1}), ArgumentError);
  CHECK_THROWS_AS(moveaxis(x, {0, 1}, {1, 1}), ArgumentError);
  CHECK_THROWS_AS(swapaxes(x, 0, 2), IndexError);
}
