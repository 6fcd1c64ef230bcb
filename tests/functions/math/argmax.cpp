#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/functions/math/argmax.hpp"
#include "dnn/functions/math/argmin.hpp"

using namespace dnn;

TEST_CASE("argmax and argmin: int32, the first of equals", "[argmax][argmin]") {
  const Array x = array({{3.f, 5.f, 5.f}, {-1.f, -1.f, 7.f}});
  CHECK(array_equal(argmax(x, 1), array({1, 2})));
  CHECK(array_equal(argmin(x, 1), array({0, 0})));
  CHECK(array_equal(argmax(x, 0), array({0, 0, 1})));
  CHECK(array_equal(argmax(x), full({}, 5, int32)));
  CHECK(array_equal(argmin(x, -2), array({1, 1, 0})));
  CHECK(array_equal(argmax(array({{1, 9}, {4, 2}}), 1), array({1, 0})));
  CHECK(array_equal(argmax(x.to(DType::float16), 1), array({1, 2})));
}

TEST_CASE("argmax: NaN comes first; nothing is an error", "[argmax]") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(argmax(array({1., nan, 3., nan})).item<int>() == 1);
  CHECK(argmin(array({1., 0., nan, -1.})).item<int>() == 2);
  CHECK(argmax(full({}, 3.)).item<int>() == 0);
  CHECK(argmax(zeros({0, 3}), 1).shape() == Shape{0});
  CHECK_THROWS_AS(argmax(zeros({0, 3}), 0), ArgumentError);
  CHECK_THROWS_AS(argmax(zeros({0})), ArgumentError);
  CHECK_THROWS_AS(argmax(zeros({2}), 1), IndexError);
}
