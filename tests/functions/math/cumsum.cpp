#include "dnn/functions/math/cumsum.hpp"

#include <utility>

#include "catch.hpp"
#include "dnn/functions/math.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("cumsum adds up along an axis, or everything", "[cumsum]") {
  const Array x = array({{1, 2, 3}, {4, 5, 6}});
  CHECK(array_equal(cumsum(x).array(), array<std::int64_t>({1, 3, 6, 10, 15, 21})));
  CHECK(array_equal(cumsum(x, 0).array(), array<std::int64_t>({{1, 2, 3}, {5, 7, 9}})));
  CHECK(array_equal(cumsum(x.to(uint8), -1).array(), array<std::int64_t>({{1, 3, 6}, {4, 9, 15}})));
  CHECK(cumsum(x.to(DType::float16)).dtype() == DType::float16);
  CHECK(cumsum(scalar(3.f)).shape() == Shape{1});
  CHECK(cumsum(zeros({2, 0, 3}), 1).shape() == Shape{2, 0, 3});
  CHECK(cumsum(zeros({0}), 0).shape() == Shape{0});
  CHECK_THROWS_AS(cumsum(x, 2), IndexError);
  CHECK_THROWS_AS(cumsum(scalar(3.f), 0), IndexError);
}

TEST_CASE("cumsum: values, gradients and second gradients", "[cumsum]") {
  for (const int axis : {0, 1, -1}) {
    testing::run({.name = "cumsum",
                  .op = [=](const Variable& x) { return cumsum(x, axis); },
                  .array_reference =
                      [=](const Arrays& in) {
                        const int along = axis < 0 ? axis + in[0].ndim() : axis;
                        const Shape& shape = in[0].shape();
                        const auto inner = shape.slice(along + 1, shape.ndim()).size();
                        Array y = in[0].copy();
                        for (std::int64_t i = 0; i < y.size(); ++i) {
                          if (i / inner % shape[along] > 0) y.data<double>()[i] += y.data<double>()[i - inner];
                        }
                        return Arrays{y};
                      },
                  .shapes = {{{3, 5}}, {{2, 37, 3}}, {{1, 1}}, {{2, 0}}}});
  }
  testing::run({.name = "cumsum of everything",
                .op = [=](const Variable& x) { return cumsum(x); },
                .array_reference =
                    [=](const Arrays& in) {
                      Array y = in[0].copy().reshape({-1});
                      for (std::int64_t i = 1; i < y.size(); ++i) y.data<double>()[i] += y.data<double>()[i - 1];
                      return Arrays{y};
                    },
                .shapes = {{{3, 11}}, {{}}}});
}

TEST_CASE("cumsum of long lines", "[cumsum]") {
  for (const std::int64_t n : {15, 16, 17, 256, 257, 70001}) {
    CAPTURE(n);
    const Array y = cumsum(ones({n}, float32)).array();
    CHECK(array_equal(y.to(int64), arange(1, n + 1)));
    const Array twice = cumsum(ones({n, 2}, int64), 0).array();
    CHECK(array_equal(cumsum(twice[n - 1]).array(), array<std::int64_t>({n, 2 * n})));
  }
}
