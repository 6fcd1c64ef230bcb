#include "dnn/functions/evaluation/r2_score.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("r2_score of columns and their mean", "[r2_score]") {
  const Array truth = array({{1.0, 2.0}, {2.0, 2.0}, {3.0, 2.0}}), pred = array({{1.0, 2.0}, {2.0, 2.0}, {2.0, 2.0}});
  CHECK(allclose(r2_score(pred, truth, MultiOutput::raw_values).array(), array({0.5, 0.0})));
  CHECK(r2_score(pred, truth).item() == Approx(0.25));
  CHECK(r2_score(array({1.f, 3.f}), array({1.f, 3.f})).item() == 1);
  CHECK_THROWS_AS(r2_score(pred, truth.to(float32)), ArgumentError);
  CHECK_THROWS_AS(r2_score(pred, truth[0]), ArgumentError);
}
