#include "dnn/array/factories.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "dnn/array/compare.hpp"

using namespace dnn;

TEST_CASE("constant arrays", "[array]") {
  for (const DType d : {float32, float64, DType::float16, DType::bfloat16, int32, int64, uint8, boolean}) {
    CHECK(zeros({2, 3}, d).dtype() == d);
    CHECK(zeros({2}, d).to(float64).to("cpu").at<double>(1) == 0);
    CHECK(ones({2}, d).to(float64).to("cpu").at<double>(1) == 1);
    CHECK(array_equal(zeros_like(ones({3, 1}, d)), zeros({3, 1}, d)));
  }
  CHECK(full({2}, 2.5, int32).to("cpu").at<std::int32_t>(0) == 2);
  CHECK(full({}, 7).item() == 7);
  CHECK(array_equal(eye(2), array({{1.f, 0.f}, {0.f, 1.f}})));
  CHECK(eye(0).shape() == Shape{0, 0});
}

TEST_CASE("arange counts like NumPy", "[array]") {
  CHECK(array_equal(arange(3), array<std::int64_t>({0, 1, 2})));
  CHECK(array_equal(arange(2, 9, 3), array<std::int64_t>({2, 5, 8})));
  CHECK(array_equal(arange(3, 0, -1), array<std::int64_t>({3, 2, 1})));
  CHECK(arange(3, 0).size() == 0);
  CHECK(arange(-3).size() == 0);
  CHECK(array_equal(arange(7, -3, -4), array<std::int64_t>({7, 3, -1})));
  // Exact where double is not, up to the ends of int64.
  constexpr std::int64_t big = (std::int64_t{1} << 53) + 1, most = std::numeric_limits<std::int64_t>::max();
  CHECK(array_equal(arange(big, big + 3), array<std::int64_t>({big, big + 1, big + 2})));
  CHECK(array_equal(arange(-most - 1, most, most), array<std::int64_t>({-most - 1, -1, most - 1})));
  CHECK(array_equal(arange(most, -most, -most), array<std::int64_t>({most, 0})));
  CHECK_THROWS_AS(arange(std::uint64_t{1} << 63), ArgumentError);
  CHECK_THROWS_AS(arange(0, 3, 0), ArgumentError);
  CHECK(arange(0, 1, 0.1, float64).size() == 10);
  CHECK(arange(0, 1, 0.3, float64).size() == 4);
  CHECK(array_equal(arange(0, 1, 0.25), array({0.0, 0.25, 0.5, 0.75})));
  CHECK(array_equal(arange(3.5), array({0.0, 1.0, 2.0, 3.0})));
  CHECK(arange(3.5).dtype() == float64);
  CHECK(arange(0, 2.f).dtype() == float64);
  CHECK(arange(std::size_t{2}).dtype() == int64);
  CHECK(array_equal(arange(2.5, float32), array({0.f, 1.f, 2.f})));
  CHECK(array_equal(arange(0.0, 3.0, 1.0, int32), array({0, 1, 2})));
  CHECK_THROWS_AS(arange(0, 1, 0), ArgumentError);
  CHECK_THROWS_AS(arange(0, std::numeric_limits<double>::infinity()), ArgumentError);
  CHECK_THROWS_AS(arange(0, 1e18, 1), ShapeError);
}

TEST_CASE("arrays from lists, pointers and vectors", "[array]") {
  CHECK(array({1.f, 2.f}).dtype() == float32);
  CHECK(array({1, 2}).dtype() == int32);
  CHECK(array<bool>({true, false}).dtype() == boolean);
  CHECK(array({{1., 2., 3.}, {4., 5., 6.}}).shape() == Shape{2, 3});
  CHECK(array({{{1, 2}}, {{3, 4}}, {{5, 6}}}).shape() == Shape{3, 1, 2});
  CHECK(array({{{1, 2}}, {{3, 4}}, {{5, 6}}}).to("cpu").at<std::int32_t>(2, 0, 1) == 6);
  CHECK_THROWS_AS(array({{1, 2}, {3}}), ShapeError);
  const std::vector<double> values = {1, 2, 3, 4};
  CHECK(array_equal(array_from(values), array({1., 2., 3., 4.})));
  CHECK(array_equal(array_from(values.data(), {2, 2}), array({{1., 2.}, {3., 4.}})));
  CHECK(array_equal(array_from(values, {2, 2}), array({{1., 2.}, {3., 4.}})));
  CHECK_THROWS_AS(array_from(values, {3}), ShapeError);
  CHECK_THROWS_AS(array_from(std::span<const double>(values), {3}), ShapeError);
  CHECK(scalar(3).shape() == Shape{});
  CHECK(scalar(3, float64).dtype() == float64);
}

TEST_CASE("random arrays repeat with the seed, on any number of threads", "[array]") {
  const int threads = num_threads();
  seed(5);
  const Array u = random::uniform({1001}, -1, 3), n = random::normal({40001}, 2, 0.5),
              d = random::normal({7}, 0, 1, float64);
  set_num_threads(3);
  seed(5);
  CHECK(array_equal(random::uniform({1001}, -1, 3), u));
  CHECK(array_equal(random::normal({40001}, 2, 0.5), n));
  CHECK(array_equal(random::normal({7}, 0, 1, float64), d));
  CHECK_FALSE(array_equal(random::normal({7}, 0, 1, float64), d));
  set_num_threads(threads);
  double mean = 0, square = 0;
  const Array u_host = u.to("cpu"), n_host = n.to("cpu");
  for (const float v : n_host.span<float>())
    mean += static_cast<double>(v), square += static_cast<double>(v) * static_cast<double>(v);
  mean /= 40001;
  CHECK(std::abs(mean - 2) < 5 * 0.5 / 200);
  CHECK(std::abs(std::sqrt(square / 40001 - mean * mean) - 0.5) < 5 * 0.5 / 283);
  for (const float v : u_host.span<float>()) CHECK((v >= -1 && v < 3));
  CHECK(random::uniform({5}, 0, 1, DType::float16).dtype() == DType::float16);
  CHECK(random::normal({0}).size() == 0);
}

TEST_CASE("uniform never reaches its upper end", "[array]") {
  for (const DType dtype : {float32, float64, DType::float16, DType::bfloat16}) {
    // So narrow that rounding would lead there for about half of the elements.
    for (const auto& [low, high] :
         {std::pair{1.0, 1 + 0x1p-7}, {-1.0, -1 + 0x1p-8}, {-0x1p-7, 0.0}, {2047.0, 2048.0}}) {
      CAPTURE(dtype, low, high);
      if (dtype == DType::bfloat16 && low == 2047) continue;  // rounds to 2048: nothing is between
      const Array x = random::uniform({3000}, low, high, dtype).to("cpu").to(float64);
      for (const double v : x.span<double>()) REQUIRE((v >= low && v < high));
    }
  }
  const double next = std::nextafter(1.0, 2.0);
  const Array wide = random::uniform({1000}, 1, next, float64).to("cpu");
  for (const double v : wide.span<double>()) REQUIRE(v == 1);
  CHECK(array_equal(random::uniform({3}, 2, 2), full({3}, 2)));
  // Nothing of the dtype is between: what low rounds to.
  CHECK(array_equal(random::uniform({9}, 1.001, 1.002, DType::bfloat16).to(float32), ones({9})));
  CHECK(array_equal(random::uniform({9}, 2047, 2048, DType::bfloat16).to(float32), full({9}, 2048)));
  CHECK(random::uniform({0}, 0, 1, DType::float16).dtype() == DType::float16);
  CHECK_THROWS_AS(random::uniform({2}, 1, 0), ArgumentError);
  CHECK_THROWS_AS(random::uniform({2}, 0, std::numeric_limits<double>::infinity()), ArgumentError);
}
