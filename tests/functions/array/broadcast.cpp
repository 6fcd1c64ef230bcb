#include "dnn/functions/array/broadcast.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/array/broadcast_to.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("broadcast brings arrays to one shape", "[broadcast]") {
  const Variables y = broadcast({array({1, 2}), array({{3}, {4}})});
  CHECK(array_equal(y[0].array(), array({{1, 2}, {1, 2}})));
  CHECK(array_equal(y[1].array(), array({{3, 3}, {4, 4}})));
  CHECK(broadcast({zeros({0, 1}), zeros({3})})[1].shape() == Shape{0, 3});
  CHECK_THROWS_AS(broadcast({zeros({2}), zeros({3})}), ShapeError);
}

TEST_CASE("broadcast_to repeats, sum_to adds up: each the other's gradient", "[broadcast_to][sum_to]") {
  CHECK(array_equal(broadcast_to(array({{1}, {2}}), {2, 2, 3}).array(),
                    broadcast_to(array({{1, 1, 1}, {2, 2, 2}}), {2, 2, 3}).array()));
  CHECK(array_equal(sum_to(ones({2, 3, 4}), {3, 1}).array(), full({3, 1}, 8)));
  const auto normal = [](const Shape& shape) { return random::normal(shape, 0, 1, float64); };
  const auto wide = [](const Variable& x) { return broadcast_to(x, {4, 2, 3}); };
  testing::check_backward(wide, {normal({2, 1})}, {normal({4, 2, 3})});
  testing::check_double_backward(wide, {normal({2, 1})}, {normal({4, 2, 3})}, {normal({2, 1})});
  CHECK_THROWS_AS(broadcast_to(zeros({3}), {2}), ShapeError);
  CHECK_THROWS_WITH(broadcast_to(zeros({3}), {1}),
                    Catch::Matchers::ContainsSubstring(
                        "[broadcast_to] broadcast(x_shape, shape) == shape does not hold: (3,) != (1,)"));
  CHECK_THROWS_AS(sum_to(zeros({1}), {3}), ArgumentError);
}
