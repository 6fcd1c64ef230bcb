#include "dnn/functions/array/cast.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/functions/array/copy.hpp"

using namespace dnn;

TEST_CASE("cast converts, and casts the gradient back", "[cast]") {
  const Variable x(array({1.5f, -2.25f}));
  const Variable y = cast(x, float64);
  CHECK(array_equal(y.array(), array({1.5, -2.25})));
  CHECK(array_equal(grad({y}, {x})[0].array(), array({1.f, 1.f})));
  CHECK(cast(x, float32).creator() == x.creator());
  CHECK(array_equal(cast(x, int32).array(), array({1, -2})));
  CHECK_FALSE(cast(x, int32).requires_grad());
  CHECK(cast(x, DType::float16).dtype() == DType::float16);
}

TEST_CASE("copy has elements of its own and passes the gradient", "[copy]") {
  const Variable x(array({1.f, 2.f}));
  const Variable y = functions::copy(x);
  CHECK(array_equal(y.array(), x.array()));
  CHECK_FALSE(y.array().shares_storage(x.array()));
  CHECK(array_equal(grad({y}, {x})[0].array(), array({1.f, 1.f})));
}
