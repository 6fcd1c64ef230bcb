#include "dnn/kernels/reduce.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/array/reduce.hpp"

using namespace dnn;

namespace {

template <class Op>
double reduced_element(const Array& x, unsigned mask, const Shape& out, std::int64_t i) {
  const double start = std::is_same_v<Op, kernels::Sum> ? 0 : std::is_same_v<Op, kernels::Max> ? -INFINITY : INFINITY;
  double result = start;
  for (std::int64_t j = 0; j < x.size(); ++j) {
    std::int64_t rest = j, target = 0, scale = 1;
    for (int axis = x.ndim() - 1; axis >= 0; --axis) {
      const auto index = rest % x.shape()[axis];
      rest /= x.shape()[axis];
      if (!(mask >> axis & 1)) target += index * scale;
      scale *= out[axis];
    }
    if (target != i) continue;
    const double v = x.data<double>()[j];
    if constexpr (std::is_same_v<Op, kernels::Sum>) result += v;
    else if constexpr (std::is_same_v<Op, kernels::Max>) result = std::isnan(v) || v > result ? v : result;
    else result = std::isnan(v) || v < result ? v : result;
  }
  return result;
}

template <class Op>
void check(const Shape& shape, DType dtype) {
  Array x(shape, float64);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<double>()[i] = static_cast<double>((i * 29 + 5) % 23) - (dtype == uint8 ? 0 : 11);
  for (unsigned mask = 0; mask < (1u << shape.ndim()); ++mask) {
    const Array y = reduce_axes<Op>(x.to(dtype), mask);
    CHECK(y.dtype() == dtype);
    CHECK(y.shape() == reduced_shape(shape, mask, true));
    const Array values = y.to(float64);
    int wrong = 0;
    for (std::int64_t i = 0; i < y.size(); ++i) {
      if (values.data<double>()[i] != reduced_element<Op>(x, mask, y.shape(), i)) ++wrong;
    }
    INFO(to_text(shape) << " mask " << mask << " " << to_text(dtype));
    CHECK(wrong == 0);
  }
}

struct Greater {
  template <class T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};

}  // namespace

TEST_CASE("reductions agree with a loop for every set of axes", "[kernels]") {
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 19}, Shape{2, 3, 2, 5}, Shape{1, 4, 1, 3},
                             Shape{600, 3}, Shape{3, 600}}) {
    for (const DType dtype : {float32, float64}) {
      check<kernels::Sum>(shape, dtype);
      check<kernels::Max>(shape, dtype);
      check<kernels::Min>(shape, dtype);
    }
    check<kernels::Max>(shape, int32);
    check<kernels::Min>(shape, int64);
    check<kernels::Max>(shape, DType::float16);
    check<kernels::Max>(shape, uint8);
  }
  check<kernels::Sum>({4, 5}, int32);
  check<kernels::Sum>({4, 5}, DType::bfloat16);
}

TEST_CASE("an empty reduction gives the identity", "[kernels]") {
  const Array x = zeros({2, 0, 3}, float64);
  const Array s = reduce_axes<kernels::Sum>(x, 2u);
  CHECK(s.shape() == Shape{2, 1, 3});
  for (const double v : s.span<double>()) CHECK(v == 0);
  CHECK(reduce_axes<kernels::Max>(x, 7u).item() == -INFINITY);
  CHECK(reduce_axes<kernels::Sum>(x, 1u).size() == 0);
}

TEST_CASE("a NaN anywhere makes maximum and minimum NaN", "[kernels]") {
  for (const std::int64_t n : {1, 5, 16, 17, 100, 1500}) {
    for (const std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      Array x = arange(n, float32);
      x.data<float>()[at] = std::nanf("");
      CHECK(std::isnan(reduce_axes<kernels::Max>(x, 1u).item()));
      CHECK(std::isnan(reduce_axes<kernels::Min>(x, 1u).item()));
      // Down the columns of a matrix.
      const Array columns = reduce_axes<kernels::Max>(x.reshape({n, 1}), 1u);
      CHECK(std::isnan(columns.item()));
      Array wide = zeros({n, 20});
      wide.at<float>(at, 7) = std::nanf("");
      const Array m = reduce_axes<kernels::Min>(wide, 1u);
      CHECK(std::isnan(m.at<float>(0, 7)));
      CHECK(m.at<float>(0, 6) == 0);
    }
  }
}

TEST_CASE("sums of many numbers are as exact as a pairwise sum", "[kernels]") {
  const std::int64_t n = 3000001;
  const Array x = full({n}, 0.1f);
  const double exact = static_cast<double>(n) * static_cast<double>(0.1f);
  CHECK(std::abs(reduce_axes<kernels::Sum>(x, 1u).item() / exact - 1) < 1e-6);
  CHECK(std::abs(reduce_axes<kernels::Sum>(x.reshape({n, 1}), 1u).item() / exact - 1) < 1e-6);
  const Array columns = reduce_axes<kernels::Sum>(x.slice(0, 3000000).reshape({300000, 10}), 1u);
  // Down the columns up to 512 rows are added one after the other.
  for (const float v : columns.span<float>()) CHECK(std::abs(static_cast<double>(v) / 30000 - 1) < 5e-6);
}

TEST_CASE("sums do not depend on the number of threads", "[kernels]") {
  Array x({777777}, float32);
  for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = std::sin(static_cast<float>(i));
  const int before = num_threads();
  set_num_threads(1);
  const double row = reduce_axes<kernels::Sum>(x, 1u).item();
  const Array columns = reduce_axes<kernels::Sum>(x.reshape({111111, 7}), 1u);
  set_num_threads(4);
  CHECK(reduce_axes<kernels::Sum>(x, 1u).item() == row);
  const Array again = reduce_axes<kernels::Sum>(x.reshape({111111, 7}), 1u);
  for (int i = 0; i < 7; ++i) CHECK(again.at<float>(0, i) == columns.at<float>(0, i));
  set_num_threads(before);
}

TEST_CASE("arg_reduce finds the first best, and the first NaN", "[kernels]") {
  const float nan = std::nanf("");
  const auto argmax = [](std::vector<float> x) {
    std::int32_t out = -1;
    kernels::arg_reduce<Greater>(&out, x.data(), 1, static_cast<std::int64_t>(x.size()), 1);
    return out;
  };
  CHECK(argmax({1, 3, 2, 3}) == 1);
  CHECK(argmax({5}) == 0);
  CHECK(argmax({1, nan, 7, nan}) == 1);
  CHECK(argmax({nan, 9}) == 0);
  CHECK(argmax({-INFINITY, -INFINITY}) == 0);
  // (2, 3, 2) along the middle axis.
  const std::vector<double> x = {1, 9, 4, 2, 3, 5, 0, 0, 0, 8, 7, 0};
  std::vector<std::int32_t> out(4);
  kernels::arg_reduce<Greater>(out.data(), x.data(), 2, 3, 2);
  CHECK(out == std::vector<std::int32_t>{1, 0, 2, 1});
}
