#include "dnn/functions/connection/convolution_2d.hpp"

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"
#include "functions/connection/reference.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {
void check(const char* name, const Convolution2DOptions& options, std::vector<std::vector<Shape>> shapes) {
  const bool biased = shapes[0].size() == 3;
  testing::OpTest test{.name = name, .arity = biased ? 3 : 2, .shapes = std::move(shapes), .tolerance = 4};
  test.array_reference = [=](const Arrays& x) {
    return Arrays{plain_convolution(x[0], x[1], biased ? x[2] : Array{}, options)};
  };
  if (biased) {
    test.op = [=](const Variable& x, const Variable& W, const Variable& b) { return convolution_2d(x, W, b, options); };
  } else {
    test.op = [=](const Variable& x, const Variable& W) { return convolution_2d(x, W, {}, options); };
  }
  testing::run(test);
}
}  // namespace

TEST_CASE("convolution_2d: plain, 1x1, empty batch", "[convolution_2d]") {
  check("convolution_2d", {},
        {{{2, 3, 5, 6}, {4, 3, 2, 3}, {4}},
         {{1, 1, 1, 1}, {1, 1, 1, 1}, {1}},
         {{3, 5, 4, 3}, {2, 5, 1, 1}, {2}},
         {{0, 2, 4, 4}, {3, 2, 3, 3}, {3}}});
  check("convolution_2d without bias", {}, {{{2, 3, 5, 6}, {4, 3, 2, 3}}});
}

TEST_CASE("convolution_2d: stride, pad, dilate, groups, cover_all", "[convolution_2d]") {
  const Shape x{2, 4, 7, 6}, W{6, 4, 3, 2}, grouped{6, 2, 3, 2}, b{6};
  check("stride", {.stride = {2, 3}}, {{x, W, b}});
  check("pad", {.pad = {2, 1}}, {{x, W, b}});
  check("pad wider than the filter", {.pad = {4, 3}}, {{x, W, b}});
  check("dilate", {.dilate = {2, 3}}, {{x, W, b}});
  check("groups", {.groups = 2}, {{x, grouped, b}});
  check("a group for each channel", {.pad = 1, .groups = 4}, {{x, {8, 1, 3, 3}, {8}}});
  check("cover_all", {.stride = 3, .cover_all = true}, {{x, W, b}});
  check("1x1, stride 2", {.stride = 2}, {{x, {6, 4, 1, 1}, b}});
  check("all", {.stride = {2, 1}, .pad = {1, 2}, .cover_all = true, .dilate = {1, 2}, .groups = 2}, {{x, grouped, b}});
}

// Blocks of several images, the last one shorter, on several threads.
TEST_CASE("convolution_2d of a batch is that of each image, on any number of threads", "[convolution_2d]") {
  const Array x = testing::random_array({61, 6, 9, 8}, 1, -1, 1, float32),
              W = testing::random_array({10, 6, 3, 3}, 2, -1, 1, float32);
  Array expected;
  {
    const auto host = using_device("cpu");
    expected = plain_convolution(x.to("cpu").to(float64), W.to("cpu").to(float64), {}, {.pad = 1});
  }
  const int threads = num_threads();
  Array first, first_gx, first_gW;
  for (const int n : {1, 2, 5}) {
    set_num_threads(n);
    const Variable vx(x), vW(W);
    Variable y = convolution_2d(vx, vW, {}, {.pad = 1});
    testing::expect_close("y", y.array(), expected.to(float32), 1e-4, 1e-4);
    y.set_grad(testing::random_array(y.shape(), 3, -1, 1, float32));
    y.backward();
    if (!first.defined()) first = y.array(), first_gx = vx.grad(), first_gW = vW.grad();
    CHECK(array_equal(y.array(), first));
    CHECK(array_equal(vx.grad(), first_gx));
    CHECK(array_equal(vW.grad(), first_gW));
  }
  set_num_threads(threads);
}

TEST_CASE("convolution_2d says what does not fit", "[convolution_2d]") {
  const Array x = zeros({2, 3, 5, 5}), W = zeros({4, 3, 3, 3});
  CHECK_THROWS_WITH(convolution_2d(x, zeros({4, 2, 3, 3})),
                    ContainsSubstring("[convolution_2d] x.shape()[1] == channels does not hold: 3 != 2") &&
                        ContainsSubstring("float32 (2, 3, 5, 5)"));
  CHECK_THROWS_AS(convolution_2d(zeros({3, 5, 5}), W), ArgumentError);
  CHECK_THROWS_WITH(convolution_2d(Variable{}, W), ContainsSubstring("undefined"));
  CHECK_THROWS_AS(convolution_2d(x, Variable{}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, zeros({4, 3, 6, 3})), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, W, zeros({3})), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, W, {}, {.stride = 0}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, W, {}, {.pad = -1}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, W, {}, {.pad = std::int64_t{1} << 62}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, W, {}, {.dilate = 0}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, W, {}, {.groups = 0}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, zeros({4, 1, 3, 3}), {}, {.groups = 3}), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, zeros({4, 3, 3, 3}, float64)), ArgumentError);
  CHECK_THROWS_AS(convolution_2d(x, zeros({4, 3, 0, 3})), ArgumentError);
}
