#include "dnn/links/linear.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("links::Linear computes x W^T + b", "[linear]") {
  links::Linear l(2, 3,
                  {.initialW = initializers::Constant{array({{1.f, 2.f}, {3.f, 4.f}, {5.f, 6.f}})},
                   .initial_bias = initializers::Constant{0.5}});
  const Variable y = l(array({{1.f, 10.f}, {0.f, 1.f}}));
  CHECK(array_equal(y.array(), array({{21.5f, 43.5f, 65.5f}, {2.5f, 4.5f, 6.5f}})));
  CHECK(links::Linear(2, 3).b->array().to("cpu").at<float>(2) == 0);
}

TEST_CASE("links::Linear finds its input size at the first call", "[linear]") {
  links::Linear l(4), nobias(std::nullopt, 4, {.nobias = true}), batched(4);
  CHECK_FALSE(l.W.is_initialized());
  CHECK(l(zeros({2, 3, 5})).shape() == Shape{2, 4});
  CHECK(l.W.shape() == Shape{4, 15});
  CHECK(batched(zeros({2, 3, 5}), 2).shape() == Shape{2, 3, 4});
  CHECK(batched.W.shape() == Shape{4, 5});
  CHECK(nobias(zeros({0, 7})).shape() == Shape{0, 4});
  CHECK_FALSE(nobias.b.has_value());
  CHECK(nobias.namedparams().size() == 1);
}

TEST_CASE("links::Linear takes the dtype of the configuration", "[linear]") {
  const auto dtype = using_dtype(float64);
  links::Linear l(2, 3);
  CHECK(l(zeros({1, 2}, float64)).dtype() == float64);
}

TEST_CASE("links::Linear refuses what cannot be", "[linear]") {
  CHECK_THROWS_AS(links::Linear(0), ArgumentError);
  CHECK_THROWS_AS(links::Linear(-3, 2), ArgumentError);
  links::Linear l(3);
  CHECK_THROWS_AS(l(scalar(1.f)), ArgumentError);
  CHECK_THROWS_AS(l(Variable{}), ArgumentError);
  // A failed first call leaves nothing behind.
  CHECK_THROWS_AS(l(zeros({2, 3}), -1), ArgumentError);
  CHECK_THROWS_AS(l(zeros({2, 3}), 0), ArgumentError);
  CHECK_THROWS_AS(l(zeros({2, 3}), 3), ArgumentError);
  CHECK_THROWS_AS(l(zeros({2, 3}, int64)), ArgumentError);
  CHECK_THROWS_AS(l(zeros({2, 3}, float64)), ArgumentError);
  CHECK_THROWS_AS(l(zeros({2, 0})), ArgumentError);
  CHECK_FALSE(l.W.is_initialized());
  CHECK(l(zeros({2, 5})).shape() == Shape{2, 3});
  CHECK_THROWS_AS(links::Linear(4, 3)(zeros({2, 5})), ArgumentError);
}
