#include "dnn/functions/pooling/unpooling_2d.hpp"

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("unpooling_2d copies values over their windows and adds where they meet", "[unpooling_2d]") {
  const Array x = array({{1.f, 2.f, 3.f}}).reshape({1, 1, 1, 3});
  CHECK(array_equal(unpooling_2d(x, {1, 2}, {.cover_all = false}).array().reshape({6}),
                    array({1.f, 1.f, 2.f, 2.f, 3.f, 3.f})));
  CHECK(array_equal(unpooling_2d(x, {1, 2}).array().reshape({5}), array({1.f, 1.f, 2.f, 2.f, 3.f})));
  CHECK(array_equal(unpooling_2d(x, {1, 3}, {.stride = {1, 2}, .cover_all = false}).array().reshape({7}),
                    array({1.f, 1.f, 3.f, 2.f, 5.f, 3.f, 3.f})));
  CHECK(unpooling_2d(x, 2, {.outsize = Pair{2, 4}}).shape() == Shape({1, 1, 2, 4}));
  CHECK_THROWS_AS(unpooling_2d(x, 2, {.outsize = Pair{0, 4}}), ArgumentError);
  CHECK_THROWS_AS(unpooling_2d(x, 2, {.pad = 1}), ArgumentError);
}

TEST_CASE("unpooling_2d: dtypes and gradients", "[unpooling_2d]") {
  testing::run({.name = "unpooling_2d",
                .op = [](const Variable& x) { return unpooling_2d(x, 3, {.stride = 2, .pad = 1}); },
                .shapes = {{{2, 3, 3, 2}}, {{0, 1, 2, 2}}}});
}
