#include "dnn/array/compare.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

TEST_CASE("array_equal compares shape, dtype and elements", "[array]") {
  const double nan = std::nan("");
  CHECK(array_equal(array({1., nan}), array({1., nan})));
  CHECK(array_equal(array({0.}), array({-0.})));
  CHECK_FALSE(array_equal(array({1., 2.}), array({1., 3.})));
  CHECK_FALSE(array_equal(array({1.}), array({1.f})));
  CHECK_FALSE(array_equal(zeros({2, 3}), zeros({3, 2})));
  CHECK(array_equal(zeros({0}), zeros({0})));
  CHECK(array_equal(array<bool>({true}), array<bool>({true})));
  CHECK_FALSE(array_equal(array({1.5f}).to(DType::bfloat16), array({1.f}).to(DType::bfloat16)));
}

TEST_CASE("allclose uses NumPy's bound and reports the first difference", "[array]") {
  CHECK(allclose(array({100.}), array({100.001}), 1e-4, 0));
  CHECK_FALSE(allclose(array({100.}), array({100.1}), 1e-4, 0));
  CHECK(allclose(array<double>({INFINITY}), array<double>({INFINITY})));
  CHECK_FALSE(allclose(array<double>({INFINITY}), array<double>({-INFINITY})));
  CHECK_FALSE(allclose(array({1.0}), array<double>({INFINITY})));
  CHECK_FALSE(allclose(array<double>({INFINITY}), array({1.0})));
  CHECK_FALSE(allclose(array({1.0}), array({std::nan("")})));
  std::string difference;
  CHECK_FALSE(allclose(array({1., 2., 4.}), array({1., 2., 3.}), 1e-5, 1e-8, &difference));
  CHECK(difference == "element 2 of (3,): 4 and 3");
  CHECK_FALSE(allclose(zeros({2}), zeros({3}), 1, 1, &difference));
  CHECK(allclose(array({1, 2}), array({1., 2.})));
}

TEST_CASE("all_finite sees NaN and infinity", "[array]") {
  CHECK(all_finite(array({1., -1e300})));
  CHECK_FALSE(all_finite(array<double>({1., INFINITY})));
  CHECK_FALSE(all_finite(array<double>({NAN}).to(DType::float16)));
  CHECK(all_finite(array({1, 2})));
  CHECK(all_finite(zeros({0})));
}
