#include "dnn/functions/pooling/unpooling_2d.hpp"

#include <algorithm>
#include <cstdint>

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
  testing::run(
      {.name = "unpooling_2d",
       .op = [](const Variable& x) { return unpooling_2d(x, 3, {.stride = 2, .pad = 1}); },
       .array_reference =
           [](const Arrays& in) {
             const Shape& shape = in[0].shape();
             const auto h = 2 * shape[2] - 2, w = 2 * shape[3] - 2;
             Array y = zeros({shape[0], shape[1], h, w}, float64);
             for (std::int64_t i = 0; i < in[0].size(); ++i) {
               const auto column = i % shape[3], row = i / shape[3] % shape[2], plane = i / shape[3] / shape[2];
               for (auto py = std::max<std::int64_t>(2 * row - 1, 0); py < std::min(2 * row + 2, h); ++py) {
                 for (auto px = std::max<std::int64_t>(2 * column - 1, 0); px < std::min(2 * column + 2, w); ++px) {
                   y.data<double>()[(plane * h + py) * w + px] += in[0].data<double>()[i];
                 }
               }
             }
             return Arrays{y};
           },
       .shapes = {{{2, 3, 3, 2}}, {{0, 1, 2, 2}}}});
}
