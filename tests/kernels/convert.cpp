#include "dnn/kernels/convert.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

TEST_CASE("small whole numbers survive every conversion", "[kernels]") {
  constexpr DType all[] = {float32, float64, DType::float16, DType::bfloat16, int32, int64, uint8};
  const Array x = array({0.0, 1.0, 2.0, 100.0, 127.0});
  for (const DType a : all) {
    for (const DType b : all) CHECK(array_equal(x.to(a).to(b).to(float64), x));
  }
}

TEST_CASE("conversion truncates, and anything but zero is true", "[kernels]") {
  CHECK(array_equal(array({1.9, -1.9, 0.5}).to(int32), array<std::int32_t>({1, -1, 0})));
  CHECK(array_equal(array({0.0, -0.0, 0.25, -3.0, std::nan("")}).to(boolean),
                    array<bool>({false, false, true, true, true})));
  CHECK(array_equal(array<bool>({true, false}).to(float32), array({1.f, 0.f})));
  constexpr auto huge = std::numeric_limits<double>::infinity();
  const Array beyond = array({1e30, -1e30, huge, -huge, std::nan("")});
  constexpr auto most = std::numeric_limits<std::int32_t>::max(), least = std::numeric_limits<std::int32_t>::min();
  CHECK(array_equal(beyond.to(int32), array({most, least, most, least, 0})));
  CHECK(array_equal(beyond.to(float32).to(int32), array({most, least, most, least, 0})));
  CHECK(array_equal(beyond.to(uint8), array<std::uint8_t>({255, 0, 255, 0, 0})));
  CHECK(array_equal(array({-0.5, -7.0, 255.9, 256.0}).to(uint8), array<std::uint8_t>({0, 0, 255, 255})));
  CHECK(beyond.to(int64).at<std::int64_t>(0) == std::numeric_limits<std::int64_t>::max());
  // Not through float: a number that has more digits than float16's way would keep.
  CHECK(array({std::int64_t{1} << 60}).to(float64).item() == std::ldexp(1.0, 60));
  CHECK(array({(std::int64_t{1} << 53) - 1}).to(float64).to(int64).item<std::int64_t>() == (std::int64_t{1} << 53) - 1);
}
