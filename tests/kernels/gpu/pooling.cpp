#include "dnn/kernels/pooling.hpp"

#if DNN_CUDA

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "kernels/gpu/device_memory.hpp"

using namespace dnn;
using namespace device_test;
using kernels::Window2D;

namespace {

const Window2D windows[] = {
    {.h = 6, .w = 8, .out_h = 3, .out_w = 4, .k_h = 2, .k_w = 2, .s_y = 2, .s_x = 2},
    {.h = 7, .w = 5, .out_h = 4, .out_w = 3, .k_h = 3, .k_w = 3, .s_y = 2, .s_x = 2, .p_y = 1, .p_x = 1},
    {.h = 7, .w = 9, .out_h = 5, .out_w = 5, .k_h = 3, .k_w = 5, .s_y = 1, .s_x = 1},
    {.h = 5, .w = 6, .out_h = 3, .out_w = 3, .k_h = 2, .k_w = 3, .s_y = 2, .s_x = 3, .p_y = 1, .p_x = 2},
    {.h = 9,
     .w = 8,
     .out_h = 3,
     .out_w = 3,
     .k_h = 3,
     .k_w = 2,
     .s_y = 2,
     .s_x = 3,
     .p_y = 0,
     .p_x = 1,
     .d_y = 2,
     .d_x = 3},
    {.h = 3, .w = 3, .out_h = 2, .out_w = 2, .k_h = 1, .k_w = 1, .s_y = 4, .s_x = 4, .p_y = 2, .p_x = 2},  // all
                                                                                                           // outside
    {.h = 1, .w = 1, .out_h = 1, .out_w = 1},
};

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b, double tolerance = 0) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = as_double(a[i]), y = as_double(b[i]);
    if (x != y && !(std::isnan(x) && std::isnan(y)) && !(std::abs(x - y) <= tolerance)) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEMPLATE_TEST_CASE("GPU pooling agrees with the CPU's", "[gpu]", float, double) {
  using T = TestType;
  const auto host = using_device("cpu");
  const std::int64_t planes = GENERATE(0, 1, 5);
  const Window2D w = GENERATE(from_range(std::begin(windows), std::end(windows)));
  auto x = random_numbers<T>(planes * w.pixels(), 1);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = T(0.5);  // ties
  if (x.size() > 40) {
    x[7] = std::numeric_limits<T>::quiet_NaN();
    x[20] = std::numeric_limits<T>::infinity();
    x[30] = -std::numeric_limits<T>::infinity();
  }
  const auto gy = random_numbers<T>(planes * w.places(), 2);

  std::vector<T> y(gy), again(gy), mean(gy), gx(x), spread(x);
  std::vector<std::int32_t> cells(gy.size());
  kernels::max_pooling(w, planes, x.data(), y.data(), cells.data());
  kernels::gather_cells(w, planes, x.data(), cells.data(), again.data());
  kernels::scatter_cells(w, planes, gy.data(), cells.data(), gx.data());
  kernels::sum_windows(w, planes, x.data(), 0.25, mean.data());
  kernels::spread_windows(w, planes, gy.data(), 0.25, spread.data());

  const auto device = using_device("cuda:0");
  const DeviceVector<T> device_x(x), device_gy(gy), device_y(gy), device_again(gy), device_mean(gy), device_gx(x),
      device_spread(x);
  const DeviceVector<std::int32_t> device_cells(std::vector<std::int32_t>(gy.size(), -1));
  kernels::max_pooling(w, planes, device_x.data(), device_y.data(), device_cells.data());
  kernels::gather_cells(w, planes, device_x.data(), device_cells.data(), device_again.data());
  kernels::scatter_cells(w, planes, device_gy.data(), device_cells.data(), device_gx.data());
  kernels::sum_windows(w, planes, device_x.data(), 0.25, device_mean.data());
  kernels::spread_windows(w, planes, device_gy.data(), 0.25, device_spread.data());
  CHECK(same(device_y.values(), y));
  CHECK(device_cells.values() == cells);
  CHECK(same(device_again.values(), again));
  CHECK(same(device_gx.values(), gx, 16 * rounding<T>()));
  CHECK(same(device_mean.values(), mean));
  CHECK(same(device_spread.values(), spread));
}

TEMPLATE_TEST_CASE("GPU im2col and col2im agree with the CPU's", "[gpu]", float, double) {
  using T = TestType;
  const auto host = using_device("cpu");
  const std::int64_t channels = GENERATE(0, 1, 3), spare = GENERATE(0, 5);
  const Window2D w = GENERATE(from_range(std::begin(windows), std::end(windows)));
  const auto ld = w.places() + spare;
  const auto image = random_numbers<T>(channels * w.pixels(), 1);
  const auto columns = random_numbers<T>(channels * w.cells() * ld, 2);

  auto seen = columns, sum = image;
  kernels::im2col(w, channels, image.data(), seen.data(), ld);
  kernels::col2im(w, channels, columns.data(), ld, sum.data());

  const auto device = using_device("cuda:0");
  const DeviceVector<T> device_image(image), device_columns(columns), device_seen(columns), device_sum(image);
  kernels::im2col(w, channels, device_image.data(), device_seen.data(), ld);
  kernels::col2im(w, channels, device_columns.data(), ld, device_sum.data());
  CHECK(device_seen.values() == seen);
  CHECK(device_sum.values() == sum);
}

#endif
