#include "dnn/initializers.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/autograd/parameter.hpp"

using namespace dnn;
using namespace dnn::initializers;

namespace {
struct Moments {
  double mean, deviation, largest;
};
Moments moments(const Initializer& initializer, const Shape& shape, DType dtype) {
  Array a(shape, dtype);
  initializer(a);
  const Array x = a.to("cpu").to(float64);
  double sum = 0, squares = 0, largest = 0;
  for (const double v : x.span<double>()) {
    sum += v;
    squares += v * v;
    largest = std::max(largest, std::abs(v));
  }
  const auto n = static_cast<double>(x.size());
  return {sum / n, std::sqrt(squares / n - sum / n * sum / n), largest};
}
}  // namespace

TEST_CASE("random initializers have the deviation of their formula", "[initializers]") {
  seed(3);
  const Shape dense{80, 50}, conv{30, 20, 3, 3};
  const auto dtype = GENERATE(DType::float32, DType::float64, DType::float16, DType::bfloat16);
  const auto check = [&](const Initializer& initializer, const Shape& shape, double deviation) {
    const auto m = moments(initializer, shape, dtype);
    CHECK(std::abs(m.mean) < deviation / 12);
    CHECK(m.deviation == Approx(deviation).epsilon(0.05));
  };
  check(Normal{}, dense, 0.05);
  check(Normal{.scale = 2}, dense, 2);
  check(LeCunNormal{}, dense, std::sqrt(1 / 50.));
  check(LeCunNormal{}, conv, std::sqrt(1 / 180.));
  check(GlorotNormal{}, dense, std::sqrt(2 / 130.));
  check(GlorotNormal{}, conv, std::sqrt(2 / 450.));
  check(HeNormal{}, conv, std::sqrt(2 / 180.));
  check(HeNormal{.scale = 2, .fan_option = FanOption::fan_out}, conv, 2 * std::sqrt(2 / 270.));
  check(Uniform{}, dense, 0.05 / std::sqrt(3.));
  check(LeCunUniform{}, conv, std::sqrt(1 / 180.));
  check(GlorotUniform{}, dense, std::sqrt(2 / 130.));
  check(HeUniform{}, dense, std::sqrt(2 / 50.));
  CHECK(moments(HeUniform{}, dense, dtype).largest <= std::sqrt(6 / 50.) * 1.004);
}

TEST_CASE("normal initializers are not truncated", "[initializers]") {
  seed(3);
  CHECK(moments(Normal{.scale = 1}, {300, 300}, float32).largest > 3.5);
}

TEST_CASE("the same seed gives the same weights", "[initializers]") {
  Array a({7, 5}), b({7, 5});
  seed(11);
  HeNormal{}(a);
  seed(11);
  HeNormal{}(b);
  CHECK(array_equal(a, b));
  HeNormal{}(b);
  CHECK_FALSE(array_equal(a, b));
}

TEST_CASE("deterministic initializers", "[initializers]") {
  Array a({2, 2});
  Constant{3}(a);
  CHECK(array_equal(a, array({{3.f, 3.f}, {3.f, 3.f}})));
  Constant{array({1., 2.})}(a);
  CHECK(array_equal(a, array({{1.f, 2.f}, {1.f, 2.f}})));
  Identity{.scale = 2.5}(a);
  CHECK(array_equal(a, array({{2.5f, 0.f}, {0.f, 2.5f}})));
  One{}(a);
  CHECK(array_equal(a, ones({2, 2})));
  Zero{}(a);
  CHECK(array_equal(a, zeros({2, 2})));
  NaN{}(a);
  CHECK(std::isnan(a.to("cpu").at<float>(1, 1)));

  Array wide({2, 3});
  CHECK_THROWS_AS(Identity{}(wide), ShapeError);
  CHECK_THROWS_AS((Constant{array({1., 2.})}(wide)), ShapeError);
  Array flat({3});
  CHECK_THROWS_AS(LeCunNormal{}(flat), ShapeError);
  CHECK_THROWS_WITH(HeUniform{}(flat), Catch::Matchers::ContainsSubstring("[HeUniform]"));
}

TEST_CASE("Orthogonal makes the shorter side orthonormal", "[initializers]") {
  seed(5);
  const Shape shape =
      GENERATE(Shape{3, 5}, Shape{5, 3}, Shape{4, 4}, Shape{6, 2, 3}, Shape{1, 1}, Shape{2, 3, 2, 2}, Shape{40, 70});
  Array a(shape, float64);
  Orthogonal{}(a);
  a = a.to("cpu");
  const auto out = shape[0], in = a.size() / out, n = std::min(in, out), length = std::max(in, out);
  const double* p = a.data<double>();
  const auto at = [&](std::int64_t i, std::int64_t k) { return in > out ? p[i * in + k] : p[k * in + i]; };
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double dot = 0;
      for (std::int64_t k = 0; k < length; ++k) dot += at(i, k) * at(j, k);
      CHECK(dot == Approx(i == j ? 1.21 : 0).margin(1e-12));
    }
  }
}

TEST_CASE("Orthogonal refuses what its mode forbids", "[initializers]") {
  Array wide({2, 3}), tall({3, 2}), none({0, 2});
  Orthogonal{.mode = OrthogonalMode::projection}(wide);
  Orthogonal{.mode = OrthogonalMode::embedding}(tall);
  CHECK_THROWS_AS(Orthogonal{.mode = OrthogonalMode::projection}(tall), ShapeError);
  CHECK_THROWS_AS(Orthogonal{.mode = OrthogonalMode::embedding}(wide), ShapeError);
  CHECK_THROWS_AS(Orthogonal{.mode = OrthogonalMode::basis}(wide), ShapeError);
  CHECK_THROWS_AS(Orthogonal{}(none), ShapeError);
  Array scalar_array(Shape{});
  Orthogonal{.scale = 2}(scalar_array);
  CHECK(std::abs(scalar_array.item()) == 2);
}

TEST_CASE("sampling filters are triangles on the diagonal", "[initializers]") {
  Array a({2, 1, 3, 3});
  UpsamplingDeconvFilter{}(a);
  CHECK(allclose(a[1][0], array({{.25f, .5f, .25f}, {.5f, 1.f, .5f}, {.25f, .5f, .25f}})));
  Array b({2, 2, 4}, float64);
  DownsamplingConvFilter{}(b);
  CHECK(
      allclose(b, array({{{.125, .375, .375, .125}, {0., 0., 0., 0.}}, {{0., 0., 0., 0.}, {.125, .375, .375, .125}}})));
  Array uneven({2, 2, 3, 4}), channels({2, 3, 3, 3});
  CHECK_THROWS_AS(UpsamplingDeconvFilter{}(uneven), ShapeError);
  CHECK_THROWS_AS(UpsamplingDeconvFilter{}(channels), ShapeError);
}
