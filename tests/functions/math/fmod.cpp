#include "dnn/functions/math/fmod.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/gradient_check.hpp"

using namespace dnn;

TEST_CASE("fmod is the remainder with the sign of x", "[fmod]") {
  const Array x = array({5.5, -5.5, 5.5, -5.5, 1.0, 0.0}), d = array({2.0, 2.0, -2.0, -2.0, 0.0, 3.0});
  CHECK(allclose(fmod(x, d).array(), array({1.5, -1.5, 1.5, -1.5, std::nan(""), 0.0})));
  CHECK(array_equal(fmod(array({7.f, 8.f, 9.f}), array({4.f})).array(), array({3.f, 0.f, 1.f})));
  const auto op = [](const Variable& a, const Variable& b) { return fmod(a, b); };
  testing::check_backward(op, {array({5.5, -7.3, 0.4}), array({2.0, 3.0, -1.5})}, {array({1.0, -2.0, 0.5})});
  testing::check_double_backward(op, {array({5.5, -7.3, 0.4}), array({2.0, 3.0, -1.5})}, {array({1.0, -2.0, 0.5})},
                                 {array({0.3, 0.1, -1.0}), array({1.0, 2.0, 0.2})});
  CHECK_THROWS_AS(fmod(array({1, 2}), array({1, 2})), DTypeError);
}
