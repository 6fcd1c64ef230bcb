#include "dnn/functions/math/floor.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

TEST_CASE("floor, ceil, fix and sign are the functions of steps they are called after", "[floor][ceil][fix][sign]") {
  const double inf = INFINITY;
  const Variable x(array({-2.5, -2.0, -0.3, -0.0, 0.0, 0.7, 3.0, 1e30, -inf, inf, std::nan("")}));
  for (const DType dtype : {float32, float64}) {
    const Variable v(x.array().to(dtype));
    const auto check = [&](const Variable& y, const Array& expected) {
      CHECK(allclose(y.array(), expected, 1e-7, 0));
      CHECK(y.dtype() == dtype);
      CHECK_FALSE(y.requires_grad());
    };
    const double big = dtype == float32 ? static_cast<double>(1e30f) : 1e30;
    check(floor(v), array({-3.0, -2.0, -1.0, 0.0, 0.0, 0.0, 3.0, big, -inf, inf, std::nan("")}));
    check(ceil(v), array({-2.0, -2.0, 0.0, 0.0, 0.0, 1.0, 3.0, big, -inf, inf, std::nan("")}));
    check(fix(v), array({-2.0, -2.0, 0.0, 0.0, 0.0, 0.0, 3.0, big, -inf, inf, std::nan("")}));
    check(sign(v), array({-1.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 1.0, -1.0, 1.0, std::nan("")}));
  }
  CHECK(floor(zeros({0, 3})).shape() == Shape{0, 3});
  CHECK_THROWS_AS(floor(array({1, 2})), DTypeError);
}
