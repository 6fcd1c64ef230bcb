#include "dnn/kernels/elementwise.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

namespace {

struct Sum2 {
  template <class V>
  V operator()(V a, V b) const {
    return a + b;
  }
};
struct MulAdd {
  template <class V>
  V operator()(V a, V b, V c) const {
    return a * b + c;
  }
};

/// Element of float64 x, broadcast to `shape`, at flat position i.
double element(const Array& x, const Shape& shape, std::int64_t i) {
  const auto strides = strides_of(x.shape());
  std::int64_t offset = 0;
  for (int axis = shape.ndim() - 1; axis >= 0; --axis) {
    const auto index = i % shape[axis];
    i /= shape[axis];
    const int own = axis - shape.ndim() + x.ndim();
    if (own >= 0 && x.shape()[own] != 1) offset += index * strides[static_cast<std::size_t>(own)];
  }
  return x.data<double>()[offset];
}

/// Small whole numbers: exact in every dtype.
Array numbers(const Shape& shape, DType dtype, int seed) {
  Array out(shape, float64);
  for (std::int64_t i = 0; i < out.size(); ++i)
    out.data<double>()[i] = static_cast<double>((i * 7 + seed * 3) % 11 - (dtype == uint8 ? 0 : 5));
  return out.to(dtype);
}

template <std::size_t N, class F, class Reference>
void check(const F& f, Reference reference, const std::array<Shape, N>& shapes, const std::array<DType, N>& dtypes,
           DType out_dtype) {
  Shape shape = shapes[0];
  for (const auto& s : shapes) shape = broadcast_shapes(shape, s, "test");
  std::array<Array, N> in;
  std::array<kernels::Operand, N> operands;
  for (std::size_t k = 0; k < N; ++k) {
    in[k] = numbers(shapes[k], dtypes[k], static_cast<int>(k));
    operands[k] = in[k].operand();
  }
  Array out(shape, out_dtype);
  kernels::elementwise_kernel<F, N, true>().run(&f, out.bytes(), out_dtype, shape, operands);
  const Array result = out.to(float64);
  for (auto& x : in) x = x.to(float64);
  int wrong = 0;
  for (std::int64_t i = 0; i < out.size(); ++i) {
    std::array<double, N> x;
    for (std::size_t k = 0; k < N; ++k) x[k] = element(in[k], shape, i);
    if (result.data<double>()[i] != reference(x)) ++wrong;
  }
  INFO(to_text(shapes[0]) << " " << to_text(shapes[N - 1]) << " " << to_text(dtypes[0]) << " -> "
                          << to_text(out_dtype));
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("two operands broadcast in every pattern of axes", "[kernels]") {
  const auto sum = [](const std::array<double, 2>& x) { return x[0] + x[1]; };
  // Every axis of each operand is either whole or 1, for all 64 pairs of patterns, and shorter shapes too.
  for (int pattern = 0; pattern < 64; ++pattern) {
    const auto size = [&](int bit, std::int64_t n) { return (pattern >> bit & 1) ? n : 1; };
    const Shape a{size(0, 2), size(1, 3), size(2, 19)}, b{size(3, 2), size(4, 3), size(5, 19)};
    check<2>(Sum2{}, sum, {a, b}, {float32, float32}, float32);
    check<2>(Sum2{}, sum, {a, b.without(0)}, {float64, float64}, float64);
  }
  for (const auto& [a, b] :
       std::vector<std::pair<Shape, Shape>>{{{}, {}},
                                            {{0}, {1}},
                                            {{0}, {}},
                                            {{3, 0}, {1, 0}},
                                            {{3, 0}, {3, 1}},
                                            {{2, 1, 2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2, 1, 2}}}) {
    check<2>(Sum2{}, sum, {a, b}, {float32, float32}, float32);
  }
}

TEST_CASE("three operands broadcast", "[kernels]") {
  const auto f = [](const std::array<double, 3>& x) { return x[0] * x[1] + x[2]; };
  for (int pattern = 0; pattern < 64; ++pattern) {
    const auto size = [&](int bit, std::int64_t n) { return (pattern >> bit & 1) ? n : 1; };
    check<3>(MulAdd{}, f,
             {Shape{size(0, 5), size(1, 21)}, Shape{size(2, 5), size(3, 21)}, Shape{size(4, 5), size(5, 21)}},
             {float32, float32, float32}, float32);
  }
}

TEST_CASE("operands and result of any dtype are converted", "[kernels]") {
  const auto sum = [](const std::array<double, 2>& x) { return x[0] + x[1]; };
  constexpr DType all[] = {float32, float64, DType::float16, DType::bfloat16, int32, int64, uint8};
  for (const DType a : all) {
    for (const DType b : all) {
      for (const Shape& shape : {Shape{1}, Shape{700}}) {
        check<2>(Sum2{}, sum, {shape, Shape{700}}, {a, b}, float32);
        check<2>(Sum2{}, sum, {Shape{700}, shape}, {a, b}, int64);
      }
      check<2>(Sum2{}, sum, {Shape{5, 1}, Shape{300}}, {a, b}, DType::float16);
    }
  }
}

TEST_CASE("a large array is computed as a whole, on any number of threads", "[kernels]") {
  const auto sum = [](const std::array<double, 2>& x) { return x[0] + x[1]; };
  const int before = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    check<2>(Sum2{}, sum, {Shape{200003}, Shape{1}}, {float32, float32}, float32);
    check<2>(Sum2{}, sum, {Shape{301, 401}, Shape{401}}, {float32, float32}, float32);
    check<2>(Sum2{}, sum, {Shape{301, 401}, Shape{301, 1}}, {float32, DType::float16}, float32);
  }
  set_num_threads(before);
}
