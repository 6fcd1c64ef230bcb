#include "dnn/functions/array/where.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/comparison.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("where chooses, with gradients and broadcasting", "[where]") {
  const Array condition = array({{true}, {false}, {true}});
  testing::run({.name = "where",
                .op = [=](const Variable& a, const Variable& b) { return where(condition, a, b); },
                .array_reference =
                    [=](const Arrays& x) {
                      Array y({3, 4}, float64);
                      const bool scalar = x[1].size() == 1;
                      for (std::int64_t i = 0; i < 12; ++i) {
                        const std::int64_t row = i / 4, column = i % 4;
                        y.data<double>()[i] =
                            row == 1 ? x[1].data<double>()[scalar ? 0 : i] : x[0].data<double>()[column];
                      }
                      return Arrays{y};
                    },
                .shapes = {{{4}, {3, 4}}, {{1, 4}, {}}}});
}

TEST_CASE("where with numbers, integers and bools keeps the dtype", "[where]") {
  const Array condition = array({true, false});
  CHECK(array_equal(where(condition, array({1, 2}), 7).array(), array({1, 7})));
  CHECK(array_equal(where(condition, 7, array({std::int64_t{1}, std::int64_t{9007199254740993}})).array(),
                    array({std::int64_t{7}, std::int64_t{9007199254740993}})));
  CHECK(array_equal(where(condition, array({true, true}), array({false, false})).array(), array({true, false})));
  CHECK(where(condition, ones({2}, DType::float16), 0).dtype() == DType::float16);
  CHECK(where(zeros({0}, boolean), zeros({0}), 1).shape() == Shape{0});
}

TEST_CASE("where: operands that do not fit", "[where]") {
  const Array x = ones({2});
  CHECK_THROWS_AS(where(x, x, x), DTypeError);
  CHECK_THROWS_AS(where(x > 0, x, x.to(float64)), ArgumentError);
  CHECK_THROWS_AS(where(x > 0, x, ones({3})), ShapeError);
}
