#include "dnn/functions/math/arithmetic.hpp"

#include "catch.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

TEST_CASE("integers are not divided, by an array or by a number", "[arithmetic]") {
  const Array x = array<std::int64_t>({4, 6});
  CHECK_THROWS_AS(Variable(x) / Variable(x), DTypeError);
  CHECK_THROWS_AS(Variable(x) / 2, DTypeError);
  CHECK_THROWS_AS(Variable{} / 2, ArgumentError);
  CHECK((Variable(x) * 2).array().to("cpu").at<std::int64_t>(1) == 12);
}
