#include <cmath>
#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/log_softmax.hpp"
#include "dnn/functions/activation/softmax.hpp"
#include "dnn/functions/math/log.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("softmax and log_softmax over every axis", "[softmax]") {
  for (const int axis : {0, 1, -1}) {
    const std::vector<std::vector<Shape>> shapes = {{{3, 5}},     {{2, 70}}, {{1, 1}},    {{2, 7, 3}},
                                                    {{5, 2, 33}}, {{0, 4}},  {{3, 0, 2}}, {{2, 3, 4, 5}}};
    const auto formula = [=](const Variable& x) { return exp(x) / sum(exp(x), axis, true); };
    testing::run({.name = concat("softmax ", axis),
                  .op = [=](const Variable& x) { return softmax(x, axis); },
                  .composed = formula,
                  .shapes = shapes});
    testing::run({.name = concat("log_softmax ", axis),
                  .op = [=](const Variable& x) { return log_softmax(x, axis); },
                  .composed = [=](const Variable& x) { return log(formula(x)); },
                  .shapes = shapes});
  }
  CHECK(array_equal(softmax(array({{1.f, 2.f}, {1.f, 2.f}})).array(),
                    softmax(array({{1.f, 2.f}, {1.f, 2.f}}), 1).array()));
}

TEST_CASE("softmax of large and infinite numbers", "[softmax]") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {float32, float64}) {
    const Array x = array({{1000., 999., -inf}, {-1000., -1000., -1000.}}).to(dtype);
    const Array y = softmax(x).array().to(float64), z = log_softmax(x).array().to(float64);
    CHECK(y.to("cpu").at<double>(0, 0) == Approx(0.7310585786300049));
    CHECK(y.to("cpu").at<double>(0, 2) == 0);
    CHECK(y.to("cpu").at<double>(1, 1) == Approx(1.0 / 3));
    CHECK(z.to("cpu").at<double>(0, 1) == Approx(-1.3132616875182228));
    CHECK(z.to("cpu").at<double>(0, 2) == -inf);
    CHECK(std::isnan(softmax(array({{0., std::nan("")}}).to(dtype)).array().to(float64).to("cpu").at<double>(0, 0)));
  }
}

TEST_CASE("softmax: axes and dtypes that cannot be", "[softmax]") {
  CHECK_THROWS_AS(softmax(array({1.f})), IndexError);
  CHECK_THROWS_AS(log_softmax(array({1.f}), 1), IndexError);
  CHECK_THROWS_AS(softmax(array({1}), 0), DTypeError);
}
