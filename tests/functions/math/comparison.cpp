#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/comparison.hpp"

using namespace dnn;

namespace {
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
Array bools(std::initializer_list<bool> values) { return array(values); }
}  // namespace

TEST_CASE("comparisons give bool arrays; NaN equals nothing", "[comparison]") {
  const Variable a(array({1.f, 2.f, 3.f, not_a_number})), b(array({2.f, 2.f, 2.f, not_a_number}));
  CHECK(array_equal(a == b, bools({false, true, false, false})));
  CHECK(array_equal(a != b, bools({true, false, true, true})));
  CHECK(array_equal(a < b, bools({true, false, false, false})));
  CHECK(array_equal(a <= b, bools({true, true, false, false})));
  CHECK(array_equal(a > b, bools({false, false, true, false})));
  CHECK(array_equal(a >= b, bools({false, true, true, false})));
}

TEST_CASE("comparisons with numbers, on either side", "[comparison]") {
  const Array x = array({1, 2, 3});
  CHECK(array_equal(x > 1.5, bools({false, true, true})));
  CHECK(array_equal(1.5 < x, bools({false, true, true})));
  CHECK(array_equal(x == 2, bools({false, true, false})));
  CHECK(array_equal(2 != x, bools({true, false, true})));
  CHECK(array_equal(x <= 1e300, bools({true, true, true})));
  CHECK(array_equal(array({std::int64_t{9007199254740993}}) == 9007199254740992.0, bools({false})));
  // The number is rounded to the array's dtype, so that 0.1f == 0.1.
  CHECK(array_equal(array({0.1f}) == 0.1, bools({true})));
  CHECK(array_equal(array({0.1f}).to(DType::float16) == 0.1, bools({true})));
}

TEST_CASE("comparisons broadcast and take mixed dtypes", "[comparison]") {
  const Array column = array({{1}, {2}}), row = array({1.0, 2.5});
  CHECK(array_equal(column < row, array({{false, true}, {false, true}})));
  CHECK(array_equal(zeros({0, 3}) < zeros({3}), zeros({0, 3}, boolean)));
  CHECK(array_equal(full({}, 2) > 1, full({}, true, boolean)));
  CHECK_THROWS_AS(zeros({2}) < zeros({3}), ShapeError);
}

TEST_CASE("bool arrays combine by & | !", "[comparison]") {
  const Array a = bools({true, true, false, false}), b = bools({true, false, true, false});
  CHECK(array_equal(a & b, bools({true, false, false, false})));
  CHECK(array_equal(a | b, bools({true, true, true, false})));
  CHECK(array_equal(!a, bools({false, false, true, true})));
  CHECK_THROWS_AS(a & array({1, 2, 3, 4}), DTypeError);
  CHECK_THROWS_AS(!array({1}), DTypeError);
}
