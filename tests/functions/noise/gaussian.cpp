#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/square.hpp"
#include "dnn/functions/noise/gaussian.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("gaussian has the mean and variance that it is given, in test mode too", "[gaussian]") {
  const auto test = using_train(false);
  seed(5);
  const Variable mean = full({40000}, 3.0, float64), ln_var = full({40000}, std::log(4.0), float64);
  Array eps;
  const Variable y = gaussian(mean, ln_var, {.return_eps = &eps});
  CHECK(dnn::mean(y).item() == Approx(3).margin(0.05));
  CHECK(dnn::mean(square(y - 3)).item() == Approx(4).margin(0.1));
  CHECK(array_equal(gaussian(mean, ln_var, {.eps = eps}).array(), y.array()));
}

TEST_CASE("gaussian: gradients flow to mean and variance", "[gaussian]") {
  const Array eps = random::normal({3, 4}, 0, 1, float64);
  testing::check_backward([&](const Variable& m, const Variable& v) { return gaussian(m, v, {.eps = eps}); },
                          {random::normal({3, 4}, 0, 1, float64), random::normal({3, 4}, 0, 1, float64)},
                          {random::normal({3, 4}, 0, 1, float64)});
  CHECK_THROWS_AS(gaussian(ones({2}), ones({3})), ArgumentError);
}
