#include "dnn/kernels/reduce.hpp"

#if DNN_CUDA

#include <string>

#include "dnn/array/reduce.hpp"
#include "kernels/gpu/twins.hpp"

using namespace dnn;
using namespace device_test;

namespace {
struct Greater {
  template <class T>
  constexpr bool operator()(T a, T b) const {
    return a > b;
  }
};
}  // namespace

TEST_CASE("GPU: reductions over every pattern of axes agree with the CPU's", "[gpu]") {
  for (const Shape& shape : {Shape{3, 5, 7}, Shape{2, 1, 40}, Shape{1, 3000, 2}, Shape{0, 4, 2}, Shape{4, 0, 3},
                             Shape{1, 1, 5000}, Shape{70, 3, 1}, Shape{5, 2, 33}}) {
    for (unsigned mask = 0; mask < 8; ++mask) {
      for (const DType dtype : {float32, float64, DType::bfloat16, int64}) {
        expect_twins(
            concat("sum ", shape, mask, dtype), [&] { return reduce_axes<kernels::Sum>(numbers(shape, dtype), mask); },
            dtype == DType::bfloat16 ? 1e-2 : 1e-5, dtype == DType::bfloat16 ? 1e-1 : 1e-3);
        for (const bool special : {false, true}) {
          if (special && !is_float(dtype)) continue;
          expect_twins(
              "max", [&] { return reduce_axes<kernels::Max>(numbers(shape, dtype, special), mask); }, 0, 0);
          expect_twins(
              "min", [&] { return reduce_axes<kernels::Min>(numbers(shape, dtype, special), mask); }, 0, 0);
        }
      }
    }
  }
}

TEST_CASE("GPU: long sums are cut into pieces, and the same in every run", "[gpu]") {
  const auto sum = [](unsigned mask) {
    return [mask] { return reduce_axes<kernels::Sum>(random::uniform({300, 1100}), mask); };
  };
  for (const unsigned mask : {1u, 2u, 3u}) expect_twins("long", sum(mask), 1e-5, 1e-3);
  const auto device = using_device("cuda:0");
  const Array x = random::normal({330000});
  CHECK(array_equal(reduce_axes<kernels::Sum>(x, 1), reduce_axes<kernels::Sum>(x, 1)));
}

TEST_CASE("GPU: the first best element, NaN before numbers", "[gpu]") {
  for (const std::int64_t inner : {1, 3}) {
    for (const std::int64_t length : {1, 2, 9, 33, 4000}) {
      for (const bool special : {false, true}) {
        expect_twins(concat(length, " ", inner), [&] {
          // Few values: there are many equals.
          Array x = special ? numbers({4, length, inner}, float32, true)
                            : random::uniform({4, length, inner}, 0, 5, float64).to(int32).to(float32);
          Array out({4, inner}, int32);
          kernels::arg_reduce<Greater>(out.data<std::int32_t>(), std::as_const(x).data<float>(), 4, length, inner);
          return out;
        });
      }
    }
  }
}

TEST_CASE("GPU: long lines are searched in pieces", "[gpu]") {
  for (const bool special : {false, true}) {
    for (const std::int64_t inner : {1, 2}) {
      expect_twins(concat("pieces ", special, inner), [&] {
        const Shape shape{2, 70001, inner};
        Array x =
            special ? numbers(shape, float32, true) : random::uniform(shape, 0, 50, float64).to(int32).to(float32);
        Array out({2, inner}, int32);
        kernels::arg_reduce<Greater>(out.data<std::int32_t>(), std::as_const(x).data<float>(), 2, 70001, inner);
        return out;
      });
    }
  }
  // The best one in the last piece, in the first one, and everywhere.
  for (const std::int64_t best : {70000L, 3L, -1L}) {
    expect_twins(concat("best at ", best), [&] {
      const auto host = [&] {
        const auto cpu = using_device("cpu");
        Array x = zeros({70001});
        if (best >= 0) x.at<float>(best) = 1;
        return x;
      }();
      const Array x = host.to(current_device());
      Array out({1}, int32);
      kernels::arg_reduce<Greater>(out.data<std::int32_t>(), x.data<float>(), 1, 70001, 1);
      CHECK(out.item<std::int64_t>() == std::max<std::int64_t>(best, 0));
      return out;
    });
  }
}

#endif
