/// Runs the same on the CPU and on the GPU, from the same random numbers.
#pragma once

#include <string>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/cuda/graph.hpp"

namespace device_test {

/// `make()` gives an Array on the current device; both must agree.
template <class Make>
void expect_twins(const std::string& what, const Make& make, double rtol = 1e-5, double atol = 1e-6) {
  const auto on = [&](const char* device) {
    const auto here = dnn::using_device(device);
    dnn::seed(5);
    return make();
  };
  const dnn::Array expected = on("cpu"), actual = on("cuda:0");
  CAPTURE(what);
  REQUIRE(actual.device() != dnn::Device{});
  CHECK(actual.dtype() == expected.dtype());
  std::string difference;
  const bool close = dnn::allclose(actual, expected, rtol, atol, &difference);
  CAPTURE(difference);
  CHECK(close);
}

/// How many kernels, copies and fills the work makes on the GPU. It is recorded, not done.
template <class Work>
std::size_t launches(const Work& work) {
  const auto here = dnn::using_device("cuda:0");
  const dnn::cu::Stream stream;
  return dnn::cu::Graph(stream, work).size();
}

/// Random numbers, among them NaN and infinities when `special`; the same bits for every device, as the GPU's
/// logarithms and cosines would not give.
inline dnn::Array numbers(const dnn::Shape& shape, dnn::DType dtype, bool special = false) {
  dnn::Array x = [&] {
    const auto host = dnn::using_device("cpu");
    return dnn::random::normal(shape, 0, 2, dnn::float64);
  }();
  if (special) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    const double values[] = {inf, -inf, std::numeric_limits<double>::quiet_NaN(), 0, -0.0, 1e30, 1e-30};
    for (std::int64_t i = 3; i < x.size(); i += 11) x.data<double>()[i] = values[i % 7];
  }
  return x.to(dtype).to(dnn::current_device());
}

}  // namespace device_test
