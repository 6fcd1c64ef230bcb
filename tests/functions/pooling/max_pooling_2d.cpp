#include "dnn/functions/pooling/max_pooling_2d.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

Array plain(const Array& x, Pair k, Pair s, Pair p, std::int64_t out_h, std::int64_t out_w) {
  Array y({x.shape()[0], x.shape()[1], out_h, out_w}, float64);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto ox = i % out_w, oy = i / out_w % out_h, plane = i / (out_w * out_h);
    double best = -inf;
    for (auto v = std::max<std::int64_t>(0, oy * s.y - p.y); v < std::min(x.shape()[2], oy * s.y - p.y + k.y); ++v) {
      for (auto u = std::max<std::int64_t>(0, ox * s.x - p.x); u < std::min(x.shape()[3], ox * s.x - p.x + k.x); ++u) {
        best = std::max(best, x.data<double>()[(plane * x.shape()[2] + v) * x.shape()[3] + u]);
      }
    }
    y.data<double>()[i] = best;
  }
  return y;
}

void check(const char* name, Pair k, const MaxPooling2DOptions& o, const Shape& x, std::int64_t out_h,
           std::int64_t out_w) {
  testing::run({.name = name,
                .op = [=](const Variable& v) { return max_pooling_2d(v, k, o); },
                .array_reference =
                    [=](const Arrays& in) {
                      return Arrays{plain(in[0], k, o.stride == Pair(0) ? k : o.stride, o.pad, out_h, out_w)};
                    },
                .shapes = {{x}}});
}

}  // namespace

TEST_CASE("max_pooling_2d: sizes and gradients", "[max_pooling_2d]") {
  check("2x2", 2, {}, {2, 3, 4, 6}, 2, 3);
  check("every pixel is covered", 2, {}, {1, 2, 5, 5}, 3, 3);
  check("unless told otherwise", 2, {.cover_all = false}, {1, 2, 5, 5}, 2, 2);
  check("overlapping, padded", 3, {.stride = 2, .pad = 1}, {2, 2, 6, 5}, 4, 3);
  check("rectangular", {2, 3}, {.stride = {1, 2}, .cover_all = false}, {1, 2, 5, 8}, 4, 3);
  check("empty batch", 2, {}, {0, 3, 4, 6}, 2, 3);
  check("one window", {4, 6}, {}, {2, 1, 4, 6}, 1, 1);
}

TEST_CASE("max_pooling_2d: the first of equal values gets the gradient", "[max_pooling_2d]") {
  const Variable x(ones({1, 1, 4, 4}));
  auto [y, indices] = max_pooling_2d_with_indices(x, 2);
  CHECK(array_equal(indices, zeros({1, 1, 2, 2}, int32)));
  y.set_grad(ones(y.shape()));
  y.backward();
  CHECK(array_equal(x.grad().reshape({4, 4}),
                    array({{1.f, 0.f, 1.f, 0.f}, {0.f, 0.f, 0.f, 0.f}, {1.f, 0.f, 1.f, 0.f}, {0.f, 0.f, 0.f, 0.f}})));
}

TEST_CASE("max_pooling_2d: NaN wins, infinities are numbers, padding never wins", "[max_pooling_2d]") {
  const float nan = std::nanf("");
  const auto minus = static_cast<float>(-inf);
  const Array x = array({{1.f, nan, -3.f, -2.f}, {nan, 5.f, -5.f, minus}}).reshape({1, 1, 2, 4});
  const auto [y, indices] = max_pooling_2d_with_indices(x, 2);
  CHECK(std::isnan(y.array().to("cpu").at<float>(0, 0, 0, 0)));
  CHECK(y.array().to("cpu").at<float>(0, 0, 0, 1) == -2.f);
  CHECK(array_equal(indices.reshape({2}), array({1, 1})));
  const Array z = max_pooling_2d(full({1, 1, 2, 2}, -7.f), 3, {.stride = 1, .pad = 1}).array();
  CHECK(array_equal(z, full({1, 1, 2, 2}, -7.f)));
  CHECK(max_pooling_2d(full({1, 1, 2, 2}, minus), 2).item() == -inf);
}

TEST_CASE("max_pooling_2d says what does not fit", "[max_pooling_2d]") {
  const Array x = zeros({1, 1, 4, 4});
  CHECK_THROWS_AS(max_pooling_2d(x, 0), ArgumentError);
  CHECK_THROWS_AS(max_pooling_2d(x, 2, {.stride = -1}), ArgumentError);
  CHECK_THROWS_AS(max_pooling_2d(x, 7, {.cover_all = false}), ArgumentError);
  CHECK_THROWS_AS(max_pooling_2d(zeros({4, 4}), 2), ArgumentError);
  CHECK_THROWS_AS(max_pooling_2d(zeros({1, 1, 4, 4}, int32), 2), DTypeError);
}
