#include "dnn/functions/pooling/upsampling_2d.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/functions/pooling/max_pooling_2d.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("upsampling_2d puts maxima back where they were", "[upsampling_2d]") {
  const Array x = array({{1.f, 2.f, 3.f, 9.f}, {4.f, 0.f, 5.f, 6.f}}).reshape({1, 1, 2, 4});
  const auto [y, indices] = max_pooling_2d_with_indices(x, 2);
  const Array back = upsampling_2d(y, indices, 2, {.cover_all = false}).array();
  CHECK(array_equal(back.reshape({2, 4}), array({{0.f, 0.f, 0.f, 9.f}, {4.f, 0.f, 0.f, 0.f}})));
  if (current_device().kind == Device::Kind::cuda) {
    // Nobody waits for indices that only a GPU knows.
    const Array wrong = array({4, 0}).reshape({1, 1, 1, 2});
    const Variable z = upsampling_2d(y, wrong, 2, {.cover_all = false});
    const Array pixels = z.array().to("cpu");
    for (const int at : {0, 1, 4, 5}) CHECK(std::isnan(pixels.reshape({8}).at<float>(at)));
    CHECK(pixels.at<float>(0, 0, 0, 2) == 9);
    CHECK(pixels.at<float>(0, 0, 1, 3) == 0);
  }
  const auto debug = debug_mode();
  CHECK_THROWS_AS(upsampling_2d(y, full(y.shape(), 4, int32), 2), ArgumentError);
  CHECK_THROWS_AS(upsampling_2d(y, full(y.shape(), -1, int32), 2), ArgumentError);
  CHECK_THROWS_AS(upsampling_2d(y, zeros({1}, int32), 2), ArgumentError);
  CHECK_THROWS_AS(upsampling_2d(y, zeros(y.shape()), 2), DTypeError);
}

TEST_CASE("upsampling_2d: dtypes and gradients", "[upsampling_2d]") {
  const Array indices = array({{0, 3, 8}, {4, 7, 2}}).reshape({1, 1, 2, 3});
  testing::run({.name = "upsampling_2d",
                .op = [=](const Variable& x) { return upsampling_2d(x, indices, 3, {.stride = 2, .pad = 1}); },
                .array_reference =
                    [](const Arrays& in) {
                      // Where each value goes: the corner of its window (padding 1, stride 2) plus its index.
                      Array y = zeros({2, 4}, float64);
                      const int rows[] = {-1 + 0, -1 + 1, -1 + 2, 1 + 1, 1 + 2, 1 + 0};
                      const int columns[] = {-1 + 0, 1 + 0, 3 + 2, -1 + 1, 1 + 1, 3 + 2};
                      for (int i = 0; i < 6; ++i) {
                        if (rows[i] < 0 || rows[i] >= 2 || columns[i] < 0 || columns[i] >= 4) continue;
                        y.data<double>()[rows[i] * 4 + columns[i]] += in[0].data<double>()[i];
                      }
                      return Arrays{y.reshape({1, 1, 2, 4})};
                    },
                .shapes = {{{1, 1, 2, 3}}}});
}
