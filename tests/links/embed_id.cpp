#include "dnn/links/embed_id.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/reduce.hpp"

using namespace dnn;

TEST_CASE("links::EmbedID looks rows up", "[embed_id]") {
  links::EmbedID l(3, 2, {.initialW = initializers::Normal{0.1}, .ignore_label = -1});
  l.W.array().assign(array({{1.f, 2.f}, {3.f, 4.f}, {5.f, 6.f}}));
  const Variable y = l(array({{2, -1}, {0, 2}}));
  CHECK(array_equal(y.array(), array({{{5.f, 6.f}, {0.f, 0.f}}, {{1.f, 2.f}, {5.f, 6.f}}})));
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  CHECK_THROWS_AS(l(array({3})), ArgumentError);
  CHECK(l.namedparams().size() == 1);
}

TEST_CASE("links::EmbedID starts with a standard normal distribution", "[embed_id]") {
  links::EmbedID l(200, 50);
  double squares = 0;
  const Array W = l.W.array().to("cpu");
  for (const float v : W.span<float>()) squares += static_cast<double>(v) * static_cast<double>(v);
  CHECK(std::abs(squares / 10000 - 1) < 0.1);
  const auto dtype = using_dtype(float64);
  CHECK(links::EmbedID(2, 3).W.dtype() == float64);
}

TEST_CASE("links::EmbedID refuses sizes below 1", "[embed_id]") {
  CHECK_THROWS_AS(links::EmbedID(0, 2), ArgumentError);
  CHECK_THROWS_AS(links::EmbedID(2, -1), ArgumentError);
}
