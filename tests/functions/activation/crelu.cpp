#include "dnn/functions/activation/crelu.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/maxout.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("crelu keeps both signs", "[crelu]") {
  CHECK(array_equal(crelu(array({{1.f, -2.f}})).array(), array({{1.f, 0.f, 0.f, 2.f}})));
  CHECK(array_equal(crelu(array({{1.f, -2.f}}), 0).array(), array({{1.f, 0.f}, {0.f, 2.f}})));
  CHECK_THROWS_AS(crelu(ones({2})), IndexError);
}

TEST_CASE("maxout takes the largest of neighbours", "[maxout]") {
  const Array x = array({{1.f, 5.f, 3.f, 2.f, -1.f, 0.f}});
  CHECK(array_equal(maxout(x, 2).array(), array({{5.f, 3.f, 0.f}})));
  CHECK(array_equal(maxout(x, 3).array(), array({{5.f, 2.f}})));
  CHECK_THROWS_AS(maxout(x, 4), ArgumentError);
  const auto f = [](const Variable& v) { return maxout(v, 2, 0); };
  // Far from ties, where there is no derivative.
  const Array apart = array({{0.3, -2.0, 1.0}, {1.3, 0.5, -1.0}, {-0.7, 2.0, 3.0}, {0.9, -1.5, 0.2}});
  testing::check_backward(f, {apart}, {random::normal({2, 3}, 0, 1, float64)});
}
