#include "dnn/functions/array/reshape.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/array/expand_dims.hpp"
#include "dnn/functions/array/flatten.hpp"
#include "dnn/functions/array/squeeze.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("reshape shares storage, finds one size, and has a gradient", "[reshape]") {
  const Variable x(arange(0, 12, 1, float32).reshape({3, 4}));
  const Variable y = reshape(x, {2, -1});
  CHECK(y.shape() == Shape{2, 6});
  CHECK(y.array().shares_storage(x.array()));
  CHECK(reshape(x, {3, 4}).creator() == x.creator());
  CHECK(reshape(full({}, 1.f), {1, 1}).shape() == Shape{1, 1});
  CHECK(reshape(zeros({0, 4}), {4, 0}).shape() == Shape{4, 0});
  CHECK(reshape(ones({1}), {}).ndim() == 0);
  testing::run({.name = "reshape",
                .op =
                    [](const Variable& v) {
                      return reshape(v, {-1, 2});
                    },
                .array_reference =
                    [](const Arrays& v) {
                      return Arrays{v[0].reshape({-1, 2})};
                    },
                .shapes = {{{3, 4}}, {{2}}, {{0, 2}}}});
  CHECK_THROWS_AS(reshape(x, {5, -1}), ShapeError);
  CHECK_THROWS_AS(reshape(x, {11}), ShapeError);
  CHECK_THROWS_AS(reshape(Variable{}, {1}), ArgumentError);
}

TEST_CASE("flatten, expand_dims, squeeze", "[flatten][expand_dims][squeeze]") {
  const Variable x(ones({2, 1, 3, 1}));
  CHECK(flatten(x).shape() == Shape{6});
  CHECK(flatten(full({}, 1.f)).shape() == Shape{1});
  CHECK(expand_dims(x, 0).shape() == Shape{1, 2, 1, 3, 1});
  CHECK(expand_dims(x, -1).shape() == Shape{2, 1, 3, 1, 1});
  CHECK(expand_dims(x, -2).shape() == Shape{2, 1, 3, 1, 1});
  CHECK(squeeze(x).shape() == Shape{2, 3});
  CHECK(squeeze(x, 1).shape() == Shape{2, 3, 1});
  CHECK(squeeze(x, {1, -1}).shape() == Shape{2, 3});
  CHECK(squeeze(ones({1, 1})).ndim() == 0);
  CHECK(array_equal(grad({squeeze(expand_dims(x, 2))}, {x})[0].array(), ones({2, 1, 3, 1})));
  CHECK_THROWS_AS(squeeze(x, 0), ArgumentError);
  CHECK_THROWS_AS(squeeze(x, 4), IndexError);
  CHECK_THROWS_AS(expand_dims(x, 5), IndexError);
}
