#include "dnn/links/convolution_2d.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("links::Convolution2D finds its channels, and passes its options on", "[convolution_2d]") {
  links::Convolution2D l(8, {3, 5}, {.stride = 2, .pad = {1, 2}});
  CHECK_FALSE(l.W.is_initialized());
  CHECK(l(zeros({2, 3, 9, 9})).shape() == Shape{2, 8, 5, 5});
  CHECK(l.W.shape() == Shape{8, 3, 3, 5});
  CHECK(links::Convolution2D(3, 8, {3, 5}).W.shape() == Shape{8, 3, 3, 5});
  CHECK_FALSE(links::Convolution2D(std::nullopt, 8, {3, 5}).W.is_initialized());
  links::Convolution2D grouped(4, 6, 3, {.nobias = true, .dilate = 2, .groups = 2});
  CHECK(grouped.W.shape() == Shape{6, 2, 3, 3});
  CHECK_FALSE(grouped.b.has_value());
  CHECK(grouped(zeros({1, 4, 7, 7})).shape() == Shape{1, 6, 3, 3});
}

TEST_CASE("links::Convolution2D adds its bias to every pixel", "[convolution_2d]") {
  links::Convolution2D l(1, 2, 1,
                         {.initialW = initializers::One{}, .initial_bias = initializers::Constant{array({1.f, -1.f})}});
  const Variable y = l(ones({1, 1, 2, 1}));
  CHECK(array_equal(y.array().reshape({2, 2}), array({{2.f, 2.f}, {0.f, 0.f}})));
}

TEST_CASE("links::Convolution2D refuses what cannot be", "[convolution_2d]") {
  CHECK_THROWS_AS(links::Convolution2D(0, 3), ArgumentError);
  CHECK_THROWS_AS(links::Convolution2D(3, 4, 3, {.groups = 2}), ArgumentError);
  CHECK_THROWS_AS(links::Convolution2D(4, 5, 3, {.groups = 2}), ArgumentError);
  CHECK_THROWS_AS(links::Convolution2D(4, 3, {.groups = 0}), ArgumentError);
  links::Convolution2D l(4, 3);
  CHECK_THROWS_AS(l(zeros({2, 3})), ArgumentError);
  CHECK_THROWS_AS(l(Variable{}), ArgumentError);
  CHECK_THROWS_AS(l(zeros({1, 2, 5, 5}, int64)), ArgumentError);
  CHECK_THROWS_AS(l(zeros({1, 0, 5, 5})), ArgumentError);
  CHECK_FALSE(l.W.is_initialized());
  CHECK(l(zeros({1, 2, 5, 5})).shape() == Shape{1, 4, 3, 3});
  CHECK_THROWS_AS(links::Convolution2D(4, {3, 0}), ArgumentError);
}
