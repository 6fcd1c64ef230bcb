#include "dnn/kernels/elementwise.hpp"

#if DNN_CUDA

#include <array>
#include <string>

#include "kernels/gpu/twins.hpp"

using namespace dnn;
using namespace device_test;

namespace {

/// Uses every function that a formula may call.
struct Everything {
  template <class V>
  constexpr V operator()(V a, V b) const {
    const V safe = minimum(maximum(a, -3.0), 3.0);
    const V y =
        exp(safe) + log(abs(b) + 1) - log1p(abs(a)) * expm1(-abs(b)) / (sqrt(abs(a)) + 1) + sin(safe) * cos(safe);
    return where((a > b) | (a != a), y, where((a <= b) & (b == b), -y * tanh(b), pow(abs(safe), 1.5)));
  }
};
struct AddIntegers {
  template <class V>
  constexpr V operator()(V a, V b) const {
    return a + b * 3;
  }
};

template <class F>
Array run(const F& f, const Shape& shape, const Array& a, const Array& b, DType out_dtype) {
  Array out(shape, out_dtype);
  const std::array operands{a.operand(), b.operand()};
  kernels::elementwise_kernel<F, 2, std::same_as<F, AddIntegers>>().run(&f, out.bytes(), out_dtype, shape, operands);
  return out;
}

struct Case {
  Shape shape, a, b;
};
const Case cases[] = {{{1000}, {1000}, {1000}},
                      {{1001}, {1001}, {1}},
                      {{3}, {3}, {3}},
                      {{0, 4}, {0, 4}, {4}},
                      {{}, {}, {}},
                      {{7, 5}, {7, 5}, {5}},
                      {{7, 5}, {7, 1}, {5}},
                      {{2, 3, 4, 5}, {3, 1, 5}, {2, 1, 4, 1}},
                      {{2, 3, 2, 3, 2, 3, 2, 3}, {2, 1, 2, 1, 2, 1, 2, 1}, {3, 1, 3, 1, 3}},
                      {{6, 64}, {64}, {6, 64}}};

}  // namespace

TEST_CASE("GPU: elementwise kernels agree with the CPU's, for all dtypes, shapes and special values", "[gpu]") {
  for (const auto& c : cases) {
    for (const DType dtype : {float32, float64, DType::float16, DType::bfloat16}) {
      for (const bool special : {false, true}) {
        const double tolerance = dtype == float64          ? 1e-12
                                 : dtype == float32        ? 1e-5
                                 : dtype == DType::float16 ? 2e-3
                                                           : 1e-2;
        expect_twins(
            concat(c.shape, c.a, c.b, dtype, special),
            [&] {
              const Array a = numbers(c.a, dtype, special), b = numbers(c.b, dtype, special);
              return run(Everything{}, c.shape, a, b, dtype);
            },
            tolerance, tolerance);
      }
    }
    for (const DType dtype : {int32, int64, uint8, boolean}) {
      expect_twins(concat(c.shape, dtype), [&] {
        const auto small = [&](const Shape& s) { return random::uniform(s, 0, 30, float64).to(dtype); };
        const Array a = small(c.a), b = small(c.b);
        return run(AddIntegers{}, c.shape, a, b, dtype);
      });
    }
  }
}

TEST_CASE("GPU: operands of several dtypes, and rows that are not aligned", "[gpu]") {
  expect_twins("mixed", [] {
    const Array a = numbers({33, 7}, DType::bfloat16), b = random::uniform({7}, 0, 9, float64).to(int32);
    return run(Everything{}, {33, 7}, a, b, float64);
  });
  for (const DType dtype : {float32, DType::float16, float64}) {
    for (std::int64_t skip : {1, 2, 3, 4}) {
      expect_twins(
          "slices",
          [&] {
            const Array a = numbers({101}, dtype).slice(skip, 101), b = numbers({105}, dtype).slice(4, 105 - skip);
            return run(Everything{}, a.shape(), a, b, dtype);
          },
          1e-2, 1e-2);
    }
  }
}

TEST_CASE("GPU: conversion between all dtypes, and filling", "[gpu]") {
  constexpr DType all[] = {float32, float64, DType::float16, DType::bfloat16, int32, int64, uint8, boolean};
  for (const DType from : all) {
    for (const DType to : all) {
      expect_twins(
          concat(from, " to ", to), [&] { return numbers({1003}, float64, is_float(from)).to(from).to(to); }, 0, 0);
    }
    expect_twins(
        "fill", [&] { return full({77}, 3, from); }, 0, 0);
  }
  // Exact where float has not enough digits.
  expect_twins(
      "int64",
      [] {
        return array({(std::int64_t{1} << 53) + 1, -7L}).to(int64).to(int32).to(int64);
      },
      0, 0);
}

#endif
