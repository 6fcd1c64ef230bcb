#include "dnn/kernels/gpu/convolution.hpp"

#if DNN_CUDA

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "dnn/memory/device.hpp"
#include "kernels/gpu/device_memory.hpp"

using namespace dnn;
using namespace device_test;
using kernels::Convolution2D;
using kernels::Window2D;

namespace {

struct Axis {
  std::int64_t size, k, stride = 1, pad = 0, dilate = 1;
  std::int64_t places() const { return (size + 2 * pad - dilate * (k - 1) - 1) / stride + 1; }
};

Convolution2D convolution(std::int64_t batch, std::int64_t in, std::int64_t out, std::int64_t groups, Axis y, Axis x) {
  Convolution2D c;
  c.batch = batch, c.in_channels = in, c.out_channels = out, c.groups = groups;
  c.window = {.h = y.size,
              .w = x.size,
              .out_h = y.places(),
              .out_w = x.places(),
              .k_h = y.k,
              .k_w = x.k,
              .s_y = y.stride,
              .s_x = x.stride,
              .p_y = y.pad,
              .p_x = x.pad,
              .d_y = y.dilate,
              .d_x = x.dilate};
  return c;
}

/// body(index of x, of W, of y) for every product that the convolution adds up.
template <class Body>
void for_each_product(const Convolution2D& c, Body body) {
  const Window2D& w = c.window;
  for (std::int64_t n = 0; n < c.batch; ++n) {
    for (std::int64_t o = 0; o < c.out_channels; ++o) {
      for (std::int64_t i = 0; i < c.group_in(); ++i) {
        const auto channel = o / c.group_out() * c.group_in() + i;
        for (std::int64_t oy = 0; oy < w.out_h; ++oy) {
          for (std::int64_t ox = 0; ox < w.out_w; ++ox) {
            for (std::int64_t ky = 0; ky < w.k_h; ++ky) {
              for (std::int64_t kx = 0; kx < w.k_w; ++kx) {
                const auto y = oy * w.s_y - w.p_y + ky * w.d_y, x = ox * w.s_x - w.p_x + kx * w.d_x;
                if (y < 0 || y >= w.h || x < 0 || x >= w.w) continue;
                body(static_cast<std::size_t>(((n * c.in_channels + channel) * w.h + y) * w.w + x),
                     static_cast<std::size_t>(((o * c.group_in() + i) * w.k_h + ky) * w.k_w + kx),
                     static_cast<std::size_t>(((n * c.out_channels + o) * w.out_h + oy) * w.out_w + ox));
              }
            }
          }
        }
      }
    }
  }
}

template <class T>
void compare(const char* what, const DeviceVector<T>& result, const std::vector<double>& expected,
             const std::vector<double>& magnitude) {
  const auto values = result.values();
  const double sum_rounding = sizeof(T) == 8 ? 0x1p-53 : 0x1p-24;
  int wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double tolerance = 1.5 * rounding<T>() * std::abs(expected[i]) + 8 * sum_rounding * (magnitude[i] + 1);
    if (!(std::abs(as_double(values[i]) - expected[i]) <= tolerance)) ++wrong;
  }
  INFO(what);
  CHECK(wrong == 0);
}

/// The convolution, its transpose and the gradient of W, with and without bias, against loops in double.
template <class T>
void check(const Convolution2D& c) {
  const Window2D& w = c.window;
  const auto x = random_numbers<T>(c.batch * c.in_channels * w.pixels(), 1), W = random_numbers<T>(c.weights(), 2);
  const auto y = random_numbers<T>(c.batch * c.out_channels * w.places(), 3);
  const auto bias_y = random_numbers<T>(c.out_channels, 4), bias_x = random_numbers<T>(c.in_channels, 5);
  std::vector<double> sum_y(y.size()), sum_x(x.size()), sum_W(W.size());
  std::vector<double> size_y(y.size()), size_x(x.size()), size_W(W.size());
  for_each_product(c, [&](std::size_t ix, std::size_t iW, std::size_t iy) {
    const auto add = [](double& sum, double& size, T a, T b) {
      const double product =
          config().allow_tf32 ? tf32(as_double(a)) * tf32(as_double(b)) : as_double(a) * as_double(b);
      sum += product;
      size += std::abs(product);
    };
    add(sum_y[iy], size_y[iy], x[ix], W[iW]);
    add(sum_x[ix], size_x[ix], y[iy], W[iW]);
    add(sum_W[iW], size_W[iW], x[ix], y[iy]);
  });

  INFO(name_of(dtype_of<T>()) << " batch " << c.batch << " channels " << c.in_channels << " to " << c.out_channels
                              << " groups " << c.groups << " image " << w.h << "x" << w.w << " window " << w.k_h << "x"
                              << w.k_w << " stride " << w.s_y << "," << w.s_x << " pad " << w.p_y << "," << w.p_x
                              << " dilate " << w.d_y << "," << w.d_x);
  const DeviceVector<T> device_x(x), device_W(W), device_y(y), device_bias_y(bias_y), device_bias_x(bias_x);
  const DeviceVector<T> out_y(y), out_x(x), out_W(W);
  kernels::gpu::convolution_2d<T>(c, device_x.data(), device_W.data(), nullptr, out_y.data());
  compare("convolution_2d", out_y, sum_y, size_y);
  kernels::gpu::deconvolution_2d<T>(c, device_y.data(), device_W.data(), nullptr, out_x.data());
  compare("deconvolution_2d", out_x, sum_x, size_x);
  kernels::gpu::convolution_2d_weights<T>(c, device_x.data(), device_y.data(), out_W.data());
  compare("convolution_2d_weights", out_W, sum_W, size_W);

  for (std::size_t i = 0; i < sum_y.size(); ++i) {
    sum_y[i] += as_double(bias_y[i / static_cast<std::size_t>(w.places()) % bias_y.size()]);
  }
  kernels::gpu::convolution_2d<T>(c, device_x.data(), device_W.data(), device_bias_y.data(), out_y.data());
  compare("convolution_2d with bias", out_y, sum_y, size_y);
  for (std::size_t i = 0; i < sum_x.size(); ++i) {
    sum_x[i] += as_double(bias_x[i / static_cast<std::size_t>(w.pixels()) % bias_x.size()]);
  }
  kernels::gpu::deconvolution_2d<T>(c, device_y.data(), device_W.data(), device_bias_x.data(), out_x.data());
  compare("deconvolution_2d with bias", out_x, sum_x, size_x);
}

}  // namespace

TEMPLATE_TEST_CASE("GPU convolution agrees with loops: strides, pads, dilations", "[gpu]", float, double) {
  const auto device = using_device("cuda:0");
  check<TestType>(convolution(2, 3, 10, 1, {7, 3}, {9, 3}));
  check<TestType>(convolution(2, 10, 9, 1, {8, 1}, {8, 1}));
  check<TestType>(convolution(3, 9, 12, 1, {8, 3, 1, 1}, {12, 3, 1, 1}));
  check<TestType>(convolution(2, 9, 10, 1, {9, 3, 2, 1}, {11, 4, 3, 2}));
  check<TestType>(convolution(1, 9, 9, 1, {9, 3, 1, 2, 2}, {10, 2, 2, 1, 3}));
  check<TestType>(convolution(2, 9, 9, 1, {12, 3, 2, 2, 2}, {13, 3, 4, 3, 2}));
  check<TestType>(convolution(2, 9, 9, 1, {9, 2, 4}, {9, 1, 3}));  // pixels that no window sees
  check<TestType>(convolution(1, 9, 20, 1, {5, 5}, {4, 4}));       // a single place
  check<TestType>(convolution(1, 1, 1, 1, {1, 1}, {1, 1}));
}

TEMPLATE_TEST_CASE("GPU convolution agrees with loops: groups and few channels", "[gpu]", float, double, Float16) {
  const auto device = using_device("cuda:0");
  check<TestType>(convolution(2, 6, 6, 6, {7, 3, 1, 1}, {6, 3, 2, 1}));
  check<TestType>(convolution(2, 3, 6, 3, {7, 3, 2, 1}, {6, 2, 1, 1, 2}));
  check<TestType>(convolution(1, 4, 2, 1, {6, 3}, {7, 2}));
  check<TestType>(convolution(2, 20, 22, 2, {5, 3, 1, 1}, {6, 2}));
}

TEMPLATE_TEST_CASE("GPU convolution on tensor cores", "[gpu]", Float16, BFloat16) {
  const auto device = using_device("cuda:0");
  check<TestType>(convolution(2, 3, 10, 1, {7, 3, 2, 1}, {9, 3}));
  check<TestType>(convolution(1, 9, 12, 1, {5, 3, 1, 1}, {6, 2}));
  check<TestType>(convolution(2, 18, 22, 2, {9, 3, 2, 2, 2}, {7, 2, 1, 1, 3}));
  check<TestType>(convolution(1, 9, 130, 1, {3, 1}, {5, 1}));
  check<TestType>(convolution(5, 9, 10, 1, {11, 2}, {12, 2}));  // the gradient of W is cut along its depth
  check<TestType>(convolution(0, 9, 10, 1, {5, 3}, {5, 3}));
}

TEST_CASE("GPU convolution in TF32", "[gpu]") {
  const auto device = using_device("cuda:0");
  const auto tf32_mode = using_tf32();
  check<float>(convolution(2, 9, 12, 1, {7, 3, 2, 1}, {6, 2, 1, 1, 2}));
  check<float>(convolution(1, 20, 22, 2, {5, 3, 1, 1}, {6, 2}));
}

TEST_CASE("GPU convolution in large tiles, and cut along its depth", "[gpu]") {
  const auto device = using_device("cuda:0");
  check<float>(convolution(1, 9, 130, 1, {24, 3, 1, 1}, {20, 3, 1, 1}));
  check<float>(convolution(5, 9, 10, 1, {14, 3, 1, 1}, {13, 3, 1, 1}));
}

TEST_CASE("GPU convolution of nothing", "[gpu]") {
  const auto device = using_device("cuda:0");
  check<float>(convolution(0, 9, 10, 1, {5, 3}, {5, 3}));
  check<float>(convolution(2, 0, 10, 1, {5, 3}, {5, 3}));
  check<float>(convolution(2, 9, 0, 1, {5, 3}, {5, 3}));
}

TEST_CASE("GPU convolution refuses an image that 32 bits do not index", "[gpu]") {
  const auto device = using_device("cuda:0");
  const auto c = convolution(1, 2048, 9, 1, {1024, 1}, {1024, 1});
  CHECK_THROWS_WITH(kernels::gpu::convolution_2d<float>(c, nullptr, nullptr, nullptr, nullptr),
                    Catch::Matchers::ContainsSubstring("[convolution_2d]"));
}

#endif
