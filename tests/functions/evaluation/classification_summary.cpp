#include "dnn/functions/evaluation/classification_summary.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("classification_summary counts by class", "[classification_summary]") {
  // Predictions 0 1 1 2 0 against the labels 0 1 2 2 ignored.
  const Array y = array({{3.f, 0.f, 0.f}, {0.f, 3.f, 0.f}, {0.f, 3.f, 0.f}, {0.f, 0.f, 3.f}, {3.f, 0.f, 0.f}});
  const Array t = array({0, 1, 2, 2, -1});
  const auto s = classification_summary(y, t, {.beta = 2});
  CHECK(allclose(s.precision.array(), array({1.0, 0.5, 1.0})));
  CHECK(allclose(s.recall.array(), array({1.0, 1.0, 0.5})));
  CHECK(allclose(s.fbeta.array(), array({1.0, 2.5 / 3, 2.5 / 4.5})));
  CHECK(array_equal(s.support.array(), array<std::int64_t>({1, 1, 2})));
  CHECK(allclose(f1_score(y, t).first.array(), array({1.0, 2.0 / 3, 2.0 / 3})));
  CHECK(allclose(precision(y, t).first.array(), s.precision.array()));
  CHECK(allclose(recall(y, t).first.array(), s.recall.array()));
}

TEST_CASE("classification_summary: a class that never occurs has no number", "[classification_summary]") {
  const auto s = classification_summary(array({{1.f, 0.f}, {1.f, 0.f}}), array({0, 0}), {.label_num = 3});
  CHECK(s.support.shape() == Shape({3}));
  CHECK(std::isnan(s.precision.array().to("cpu").at<double>(2)));
  CHECK(std::isnan(s.recall.array().to("cpu").at<double>(1)));
  CHECK(classification_summary(zeros({0, 2}), zeros({0}, int32)).support.size() == 0);
  CHECK_THROWS_AS(classification_summary(zeros({1, 2}), array({2}), {.label_num = 2}), ArgumentError);
  CHECK_THROWS_AS(classification_summary(zeros({1, 2}), array({-3})), ArgumentError);
  CHECK_THROWS_AS(classification_summary(zeros({1, 2}), array({std::int64_t{1} << 50})), ArgumentError);
}
