#include "dnn/functions/array/get_item.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {
const Array& numbers() {
  static const Array x = arange(0, 24, 1, int32).reshape({2, 3, 4});
  return x;
}
Variable at(std::initializer_list<Index> index) { return get_item(numbers(), index); }
}  // namespace

// The expected values are numpy's for x = np.arange(24).reshape(2, 3, 4).
TEST_CASE("get_item: integers and slices", "[get_item]") {
  CHECK(array_equal(at({1, -1}).array(), array({20, 21, 22, 23})));
  CHECK(array_equal(at({1, 2, 3}).array(), full({}, 23, int32)));
  CHECK(array_equal(at({0, Slice{1, 3}, 1}).array(), array({5, 9})));
  CHECK(array_equal(at({ellipsis, Slice{none, none, -2}}).array().slice(0, 1), array({{{3, 1}, {7, 5}, {11, 9}}})));
  CHECK(array_equal(at({0, Slice{}, Slice{-1, 0, -2}}).array(), array({{3, 1}, {7, 5}, {11, 9}})));
  CHECK(at({Slice{}, new_axis, 0, ellipsis, new_axis}).shape() == Shape{2, 1, 4, 1});
  CHECK(at({Slice{5, 9}}).shape() == Shape{0, 3, 4});
  CHECK(at({Slice{-100, 100}}).shape() == Shape{2, 3, 4});
  CHECK(at({0, 0, Slice{none, none, INT64_MIN}}).shape() == Shape{1});
  CHECK(at({0, 0, Slice{none, none, INT64_MAX}}).shape() == Shape{1});
  CHECK(at({}).shape() == Shape{2, 3, 4});
}

TEST_CASE("get_item: leading slices share storage", "[get_item]") {
  const Variable x(ones({4, 3}));
  CHECK(x[Slice{1, 3}].array().shares_storage(x.array()));
  CHECK(x[2].array().shares_storage(x.array()));
  CHECK_FALSE(x[{Slice{}, 0}].array().shares_storage(x.array()));
}

TEST_CASE("get_item: index arrays stand where numpy puts them", "[get_item]") {
  CHECK(array_equal(at({0, array({2, 0, 2}), 0}).array(), array({8, 0, 8})));
  CHECK(array_equal(at({array({1, 0}), Slice{}, array({2, 3})}).array(), array({{14, 18, 22}, {3, 7, 11}})));
  CHECK(array_equal(at({0, array({{2}, {0}}), array({1, -1})}).array(), array({{9, 11}, {1, 3}})));
  CHECK(array_equal(at({Slice{}, array({2, 0}), 1}).array(), array({{9, 1}, {21, 13}})));
  CHECK(array_equal(at({0, Slice{}, array({1, 2})}).array(), array({{1, 5, 9}, {2, 6, 10}})));
  CHECK(at({Slice{}, array({{0, 1}, {1, 2}, {2, 0}})}).shape() == Shape{2, 3, 2, 4});
  CHECK(at({array({0, 1}), new_axis, array({0, 1})}).shape() == Shape{2, 1, 4});
  CHECK(at({zeros({0}, int64)}).shape() == Shape{0, 3, 4});
}

TEST_CASE("get_item: bool masks", "[get_item]") {
  const Variable x(numbers());
  CHECK(array_equal(x[x > 20].array(), array({21, 22, 23})));
  CHECK(array_equal(x[{1, array({true, false, true}), 0}].array(), array({12, 20})));
  CHECK(x[x > 100].shape() == Shape{0});
  CHECK(x[{array({false, true})}].shape() == Shape{1, 3, 4});
}

TEST_CASE("get_item: gradients add up repetitions", "[get_item]") {
  const Variable x(array({1.f, 2.f, 3.f}));
  sum(x[array({0, 2, 0})]).backward();
  CHECK(array_equal(x.grad(), array({2.f, 0.f, 1.f})));
  const std::vector<std::vector<Index>> indices = {{array({1, 0, 1}), Slice{2, none, -1}},
                                                   {1, Slice{}, array({0, 0})},
                                                   {ellipsis, 0},
                                                   {new_axis, array({{0, 1}, {1, 1}}), 2, array({3, 0})}};
  for (const auto& index : indices) {
    testing::run({.name = "get_item",
                  .op = [=](const Variable& v) { return get_item(v, index); },
                  .array_reference = [=](const Arrays& v) { return Arrays{get_item(v[0], index).array()}; },
                  .shapes = {{{2, 3, 4}}}});
  }
}

TEST_CASE("scatter_add adds to the places of an index", "[scatter_add]") {
  const Array a = array({{1.f, 2.f}, {3.f, 4.f}});
  CHECK(array_equal(scatter_add(a, {array({0, 0, 1})}, array({10.f, 20.f})).array(),
                    array({{21.f, 42.f}, {13.f, 24.f}})));
  CHECK(array_equal(a, array({{1.f, 2.f}, {3.f, 4.f}})));
  const auto normal = [](const Shape& shape) { return random::normal(shape, 0, 1, float64); };
  const auto f = [](const Variable& x, const Variable& y) { return scatter_add(x, {Slice{}, array({2, 0, 2})}, y); };
  testing::check_backward(f, {normal({2, 3}), normal({2, 3})}, {normal({2, 3})});
  CHECK_THROWS_AS(scatter_add(a, {0}, ones({3})), ShapeError);
}

TEST_CASE("get_item: an index that only a GPU knows, and that is out of range, gives NaN", "[get_item]") {
  if (current_device().kind != Device::Kind::cuda) return;
  const Variable x(arange(0, 6, 1, float32).reshape({2, 3}));
  const Array rows = array({1, 2, -2}), columns = array({0, 1, -4});
  Variable y = x[{rows, columns}];
  y.set_grad(Variable(ones({3})));
  y.backward();
  const Array values = y.array().to("cpu");
  CHECK(values.at<float>(0) == 3);
  CHECK(std::isnan(values.at<float>(1)));
  CHECK(std::isnan(values.at<float>(2)));
  CHECK(array_equal(x.grad(), array({{0.f, 0.f, 0.f}, {1.f, 0.f, 0.f}})));
  CHECK(array_equal(at({array({2, 0}), 0, 0}).array(), array({-1, 0})));
  CHECK_THROWS_AS(x[array({2}).to("cpu")], IndexError);
}

TEST_CASE("get_item: indices that cannot be", "[get_item]") {
  const auto debug = debug_mode();  // a GPU checks index arrays only in this mode
  CHECK_THROWS_WITH(at({2}),
                    Catch::Matchers::ContainsSubstring("[get_item] index 2 is out of range for axis 0 of length 2"));
  CHECK_THROWS_AS(at({0, 0, 0, 0}), IndexError);
  CHECK_THROWS_AS(at({ellipsis, ellipsis}), IndexError);
  CHECK_THROWS_AS(at({array({0.5f})}), IndexError);
  CHECK_THROWS_AS(at({array({0, -3})}), IndexError);
  CHECK_THROWS_AS(get_item(zeros({2, 0}), array({0, 2})), IndexError);
  CHECK_THROWS_AS(at({array({true, false, true})}), IndexError);
  CHECK_THROWS_AS(at({Slice{none, none, 0}}), IndexError);
  CHECK_THROWS_AS(at({array({0, 1}), array({0, 1, 2})}), ShapeError);
}
