#include "dnn/links/deconvolution_2d.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("links::Deconvolution2D finds its channels, and passes its options on", "[deconvolution_2d]") {
  links::Deconvolution2D l(8, {3, 5}, {.stride = 2, .pad = {1, 2}});
  CHECK_FALSE(l.W.is_initialized());
  CHECK(l(zeros({2, 3, 5, 5})).shape() == Shape{2, 8, 9, 9});
  CHECK(l.W.shape() == Shape{3, 8, 3, 5});
  CHECK(l.namedparams().size() == 2);
  links::Deconvolution2D grouped(4, 6, 3, {.nobias = true, .outsize = Pair{9, 9}, .dilate = 2, .groups = 2});
  CHECK(grouped.W.shape() == Shape{4, 3, 3, 3});
  CHECK_FALSE(grouped.b.has_value());
  CHECK(grouped(zeros({1, 4, 5, 5})).shape() == Shape{1, 6, 9, 9});
}

TEST_CASE("links::Deconvolution2D spreads its input and adds its bias", "[deconvolution_2d]") {
  links::Deconvolution2D l(1, 1, {1, 2}, {.stride = 2, .initialW = 1, .initial_bias = 10});
  const Variable y = l(array({1.f, 2.f}).reshape({1, 1, 1, 2}));
  CHECK(array_equal(y.array().reshape({4}), array({11.f, 11.f, 12.f, 12.f})));
}

TEST_CASE("links::Deconvolution2D refuses what cannot be", "[deconvolution_2d]") {
  CHECK_THROWS_AS(links::Deconvolution2D(0, 3), ArgumentError);
  CHECK_THROWS_AS(links::Deconvolution2D(3, 4, 3, {.groups = 2}), ArgumentError);
  links::Deconvolution2D l(4, 3);
  CHECK_THROWS_AS(l(zeros({2, 3})), ArgumentError);
  CHECK_FALSE(l.W.is_initialized());
}
