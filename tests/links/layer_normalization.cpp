#include "dnn/links/layer_normalization.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("links::LayerNormalization normalises rows, and finds its size", "[layer_normalization]") {
  links::LayerNormalization l({.initial_gamma = 2, .initial_beta = 1});
  CHECK_FALSE(l.gamma.is_initialized());
  const Variable y = l(array({{-1.f, 1.f}, {5.f, 3.f}, {7.f, 7.f}}));
  CHECK(allclose(y.array(), array({{-1.f, 3.f}, {3.f, -1.f}, {1.f, 1.f}}), 1e-5));
  CHECK(l.namedparams().size() == 2);
  CHECK(links::LayerNormalization(3).beta.shape() == Shape{3});
  CHECK_THROWS_AS(links::LayerNormalization(0), ArgumentError);
  CHECK_THROWS_AS(links::LayerNormalization()(zeros({2, 3, 4})), ArgumentError);
  CHECK_THROWS_AS(l(zeros({2, 3})), ArgumentError);
}
