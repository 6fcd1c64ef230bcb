#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("mean over axes", "[average]") {
  testing::run({.name = "mean",
                .op =
                    [](const Variable& x) {
                      return mean(x, {0, 2}, true);
                    },
                .composed =
                    [](const Variable& x) {
                      return sum(x, {0, 2}, true) / static_cast<double>(x.shape()[0] * x.shape()[2]);
                    },
                .shapes = {{{2, 3, 5}}, {{1, 1, 1}}, {{7, 0, 3}}}});
  testing::run({.name = "mean of all",
                .op = [](const Variable& x) { return mean(x); },
                .composed = [](const Variable& x) { return sum(x) / static_cast<double>(x.size()); },
                .shapes = {{{}}, {{7}}, {{3, 5}}}});
}

TEST_CASE("average with weights along an axis, or of x's shape", "[average]") {
  const Variable x(array({{1., 2., 3.}, {4., 5., 6.}}));
  CHECK(allclose(average(x, 1, array({1., 2., 1.})).array(), array({2., 5.})));
  CHECK(allclose(average(x, 0, array({1., 3.}), true).array(), array({{3.25, 4.25, 5.25}})));
  CHECK(average(x, {}, array({{1., 0., 0.}, {0., 0., 1.}})).item() == Approx(3.5));
  testing::run({.name = "average",
                .op = [](const Variable& a, const Variable& w) { return average(a, 1, w); },
                .composed = [](const Variable& a, const Variable& w) { return sum(a * w, 1) / sum(w); },
                .shapes = {{{2, 3}, {3}}, {{4, 5}, {5}}},
                .low = 0.5});
  CHECK_THROWS_AS(average(x, 1, array({1., 2.})), ArgumentError);
  CHECK_THROWS_AS(average(x, {0, 1}, array({1., 2., 3.})), ArgumentError);
  CHECK_THROWS_AS(average(x, 1, array({1.f, 2.f, 3.f})), ArgumentError);
}

TEST_CASE("mean: nothing gives NaN, float16 does not overflow, integers are an error", "[average]") {
  CHECK(std::isnan(mean(zeros({0})).item()));
  CHECK(mean(full({100}, 60000, DType::float16)).item() == Approx(60000).epsilon(1e-3));
  CHECK(mean(full({100}, 60000, DType::float16)).dtype() == DType::float16);
  CHECK_THROWS_AS(mean(array({1, 2})), DTypeError);
}
