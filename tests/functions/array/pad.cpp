#include "dnn/functions/array/pad.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/array/flip.hpp"
#include "dnn/functions/array/permutate.hpp"
#include "dnn/functions/array/repeat.hpp"
#include "dnn/functions/array/select_item.hpp"
#include "dnn/functions/array/tile.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {
Array normal(const Shape& shape) { return random::normal(shape, 0, 1, float64); }
const Array& matrix() {
  static const Array x = array({{1, 2, 3}, {4, 5, 6}});
  return x;
}
}  // namespace

TEST_CASE("pad puts a constant around", "[pad]") {
  CHECK(array_equal(pad(matrix(), {{0, 1}, {1, 0}}, 9).array(), array({{9, 1, 2, 3}, {9, 4, 5, 6}, {9, 9, 9, 9}})));
  CHECK(array_equal(pad(array({1}), 1).array(), array({0, 1, 0})));
  CHECK(pad(zeros({0, 2}), {{1, 1}, {0, 0}}).shape() == Shape{2, 2});
  testing::check_backward(
      [](const Variable& x) {
        return pad(x, {{2, 1}, {0, 3}}, 5);
      },
      {normal({2, 3})}, {normal({5, 6})});
  CHECK_THROWS_AS(pad(matrix(), {{1, 1}, {1, 1}, {1, 1}}), ArgumentError);
  CHECK_THROWS_AS(pad(matrix(), -1), ArgumentError);
}

TEST_CASE("pad repeats what is inside, as numpy.pad", "[pad]") {
  const Array x = array({1, 2, 3});
  const auto padded = [&](PadMode mode) { return pad(x, {{3, 4}}, mode).array(); };
  CHECK(array_equal(padded(PadMode::edge), array({1, 1, 1, 1, 2, 3, 3, 3, 3, 3})));
  CHECK(array_equal(padded(PadMode::reflect), array({2, 3, 2, 1, 2, 3, 2, 1, 2, 3})));
  CHECK(array_equal(padded(PadMode::symmetric), array({3, 2, 1, 1, 2, 3, 3, 2, 1, 1})));
  CHECK(array_equal(padded(PadMode::wrap), array({1, 2, 3, 1, 2, 3, 1, 2, 3, 1})));
  CHECK(array_equal(pad(array({7}), 2, PadMode::reflect).array(), array({7, 7, 7, 7, 7})));
  CHECK(array_equal(pad(matrix(), {{1, 0}, {0, 2}}, PadMode::symmetric).array(),
                    array({{1, 2, 3, 3, 2}, {1, 2, 3, 3, 2}, {4, 5, 6, 6, 5}})));
  CHECK(array_equal(pad(matrix(), 0, PadMode::wrap).array(), matrix()));
  for (const PadMode mode : {PadMode::edge, PadMode::reflect, PadMode::symmetric, PadMode::wrap}) {
    testing::check_backward(
        [&](const Variable& v) {
          return pad(v, {{2, 1}, {0, 3}}, mode);
        },
        {normal({2, 3})}, {normal({5, 6})});
  }
  CHECK_THROWS_AS(pad(zeros({0, 2}), 1, PadMode::edge), ArgumentError);
  CHECK_THROWS_AS(pad(matrix(), -1, PadMode::edge), ArgumentError);
}

TEST_CASE("flip, repeat, tile", "[flip][repeat][tile]") {
  CHECK(array_equal(flip(matrix(), 0).array(), array({{4, 5, 6}, {1, 2, 3}})));
  CHECK(array_equal(fliplr(matrix()).array(), array({{3, 2, 1}, {6, 5, 4}})));
  CHECK(array_equal(flipud(matrix()).array(), flip(matrix(), -2).array()));
  CHECK(array_equal(repeat(matrix(), 2, 0).array(), array({{1, 2, 3}, {1, 2, 3}, {4, 5, 6}, {4, 5, 6}})));
  CHECK(array_equal(repeat(matrix(), {2, 0, 1}, 1).array(), array({{1, 1, 3}, {4, 4, 6}})));
  CHECK(array_equal(repeat(matrix(), 1).array(), array({1, 2, 3, 4, 5, 6})));
  CHECK(array_equal(tile(matrix(), {2, 1}).array(), array({{1, 2, 3}, {4, 5, 6}, {1, 2, 3}, {4, 5, 6}})));
  CHECK(array_equal(tile(array({1, 2}), {2, 2}).array(), array({{1, 2, 1, 2}, {1, 2, 1, 2}})));
  CHECK(array_equal(tile(matrix(), 2).array(), array({{1, 2, 3, 1, 2, 3}, {4, 5, 6, 4, 5, 6}})));
  CHECK(tile(matrix(), 0).shape() == Shape{2, 0});
  testing::check_backward([](const Variable& x) { return tile(x, {2, 3}); }, {normal({2, 2})}, {normal({4, 6})});
  testing::check_backward([](const Variable& x) { return repeat(x, {3, 1}, 1); }, {normal({2, 2})}, {normal({2, 4})});
  CHECK_THROWS_AS(repeat(matrix(), {1, 2}, 1), ArgumentError);
  CHECK_THROWS_AS(repeat(matrix(), -1, 1), ArgumentError);
  CHECK_THROWS_AS(tile(matrix(), -1), ArgumentError);
}

TEST_CASE("permutate and select_item: what only a GPU knows, and is wrong, gives -1 or NaN",
          "[permutate][select_item]") {
  if (current_device().kind != Device::Kind::cuda) return;
  CHECK(array_equal(permutate(matrix(), array({0, -1, 3}), {.axis = 1}).array(), array({{1, -1, -1}, {4, -1, -1}})));
  CHECK(array_equal(permutate(matrix(), array({2, 2, 0}), {.axis = 1, .inv = true}).array()[0][0], full({}, 3, int32)));
  CHECK(array_equal(permutate(matrix(), array({2, 3, 0}), {.axis = 1, .inv = true}).array(),
                    array({{3, -1, 1}, {6, -1, 4}})));
  CHECK(array_equal(select_item(matrix(), array({-1, 3})).array(), array({-1, -1})));
  CHECK_THROWS_AS(select_item(matrix(), array({-1, 0}).to("cpu")), IndexError);
}

TEST_CASE("permutate and select_item", "[permutate][select_item]") {
  const Array order = array({2, 0, 1});
  CHECK(array_equal(permutate(matrix(), order, {.axis = 1}).array(), array({{3, 1, 2}, {6, 4, 5}})));
  CHECK(array_equal(permutate(permutate(matrix(), order, {.axis = 1}), order, {.axis = 1, .inv = true}).array(),
                    matrix()));
  const auto debug = debug_mode();  // a GPU checks index arrays only in this mode
  CHECK_THROWS_AS(permutate(matrix(), array({0, 0, 1}), {.axis = 1}), ArgumentError);
  CHECK_THROWS_AS(permutate(matrix(), array({0, 3, 1}), {.axis = 1}), ArgumentError);
  CHECK(array_equal(select_item(matrix(), array({2, 0})).array(), array({3, 4})));
  testing::check_backward(
      [](const Variable& x) {
        return select_item(x, array({1, 0, 1}));
      },
      {normal({3, 2})}, {normal({3})});
  CHECK_THROWS_WITH(select_item(matrix(), array({0, 3})),
                    Catch::Matchers::ContainsSubstring("t[1] = 3 is not one of 3 columns"));
  CHECK_THROWS_AS(select_item(matrix(), array({-1, 0})), IndexError);
  CHECK_THROWS_AS(select_item(matrix(), array({0, 1, 2})), ArgumentError);
}
