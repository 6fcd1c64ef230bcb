#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/array/concat.hpp"
#include "dnn/functions/array/split_axis.hpp"
#include "dnn/functions/array/stack.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("concat joins along axis 1 by default", "[concat]") {
  const Array a = array({{1, 2}, {3, 4}}), b = array({{5}, {6}});
  CHECK(array_equal(concat({a, b}).array(), array({{1, 2, 5}, {3, 4, 6}})));
  CHECK(array_equal(concat({a, a}, 0).array(), array({{1, 2}, {3, 4}, {1, 2}, {3, 4}})));
  const std::vector<Variable> list{a, b, zeros({2, 0}, int32)};
  CHECK(array_equal(concat(list, -1).array(), array({{1, 2, 5}, {3, 4, 6}})));
  CHECK(array_equal(hstack({array({1, 2}), array({3})}).array(), array({1, 2, 3})));
  CHECK(array_equal(hstack({a, b}).array(), array({{1, 2, 5}, {3, 4, 6}})));
  CHECK(array_equal(vstack({array({1, 2}), array({3, 4})}).array(), a.copy()));
}

TEST_CASE("concat, split_axis and stack: gradients", "[concat][split_axis][stack]") {
  const auto normal = [](const Shape& shape) { return random::normal(shape, 0, 1, float64); };
  const auto joined = [](const Variable& a, const Variable& b) { return concat({a, b}, 1); };
  testing::check_backward(joined, {normal({2, 3, 2}), normal({2, 1, 2})}, {normal({2, 4, 2})});
  testing::check_double_backward(joined, {normal({2, 3, 2}), normal({2, 1, 2})}, {normal({2, 4, 2})},
                                 {normal({2, 3, 2}), normal({2, 1, 2})});
  const auto cut = [](const Variables& x) { return split_axis(x[0], {1, 3}, 1); };
  testing::check_backward(cut, {normal({2, 4})}, {normal({2, 1}), normal({2, 2}), normal({2, 1})});
  testing::check_backward(cut, {normal({2, 4})}, {normal({2, 1}), Array{}, normal({2, 1})});
  testing::check_double_backward(cut, {normal({2, 4})}, {normal({2, 1}), normal({2, 2}), normal({2, 1})},
                                 {normal({2, 4})});
  const auto stacked = [](const Variable& a, const Variable& b) { return stack({a, b}, -1); };
  testing::check_backward(stacked, {normal({2, 3}), normal({2, 3})}, {normal({2, 3, 2})});
}

TEST_CASE("split_axis: sections and boundaries", "[split_axis]") {
  const Array x = array({{1, 2, 3, 4}, {5, 6, 7, 8}});
  const Variables halves = split_axis(x, 2, 1);
  REQUIRE(halves.size() == 2);
  CHECK(array_equal(halves[1].array(), array({{3, 4}, {7, 8}})));
  const Variables pieces = split_axis(x, {1, 1, 9}, -1);
  REQUIRE(pieces.size() == 4);
  CHECK(array_equal(pieces[0].array(), array({{1}, {5}})));
  CHECK(pieces[1].shape() == Shape{2, 0});
  CHECK(array_equal(pieces[2].array(), array({{2, 3, 4}, {6, 7, 8}})));
  CHECK(pieces[3].shape() == Shape{2, 0});
  CHECK(split_axis(x, 1, 0).size() == 1);
  CHECK_THROWS_AS(split_axis(x, 3, 1), ArgumentError);
  CHECK_THROWS_AS(split_axis(x, 0, 1), ArgumentError);
  CHECK_THROWS_AS(split_axis(x, {3, 1}, 1), ArgumentError);
  CHECK_THROWS_AS(split_axis(x, {-1}, 1), ArgumentError);
}

TEST_CASE("a piece that nobody uses contributes nothing", "[split_axis]") {
  const Variable x(array({1.f, 2.f, 3.f}));
  Variable loss;
  {
    const Variables pieces = split_axis(x, 3, 0);
    loss = sum(pieces[1] * 5.0);
  }
  loss.backward();
  CHECK(array_equal(x.grad(), array({0.f, 5.f, 0.f})));
}

TEST_CASE("separate undoes stack", "[split_axis][stack]") {
  const Variable x(array({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}}));
  for (const int axis : {0, 1}) {
    const Variables rows = separate(x, axis);
    CHECK(static_cast<std::int64_t>(rows.size()) == x.shape()[axis]);
    CHECK(array_equal(stack(rows, axis).array(), x.array()));
  }
  CHECK(separate(zeros({0, 3})).size() == 0);
  CHECK(stack({full({}, 1.f), full({}, 2.f)}).shape() == Shape{2});
}

TEST_CASE("concat: lists that do not fit", "[concat]") {
  CHECK_THROWS_AS(concat(std::vector<Variable>{}), ArgumentError);
  CHECK_THROWS_AS(concat({ones({2, 2}), ones({3, 2})}), ArgumentError);
  CHECK_THROWS_AS(concat({ones({2, 2}), ones({2, 2}, float64)}), ArgumentError);
  CHECK_THROWS_AS(concat({ones({2}), ones({2})}), IndexError);
  CHECK_THROWS_AS(stack({ones({2}), ones({3})}), ArgumentError);
}
