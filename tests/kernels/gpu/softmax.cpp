#include "dnn/kernels/softmax.hpp"

#if DNN_CUDA

#include "dnn/kernels/channel_sums.hpp"
#include "kernels/gpu/twins.hpp"

using namespace dnn;
using namespace device_test;

TEST_CASE("GPU: log_sum_exp agrees with the CPU's, infinities and NaN included", "[gpu]") {
  for (const std::int64_t inner : {1, 5}) {
    for (const std::int64_t classes : {1, 3, 10, 33, 130, 3000}) {
      for (const DType dtype : {float32, float64}) {
        for (const int special : {0, 1, 2}) {
          expect_twins(
              concat(classes, " ", inner, dtype, special),
              [&] {
                Array x = numbers({3, classes, inner}, dtype, special == 1);
                if (special == 2) x[1].fill(-std::numeric_limits<double>::infinity());
                Array out({2, 3, inner}, dtype);
                visit_float(dtype, "test", [&]<class T>(std::type_identity<T>) {
                  T* const p = out.data<T>();
                  kernels::log_sum_exp(std::as_const(x).data<T>(), 3, classes, inner, p, p + 3 * inner);
                });
                return out;
              },
              1e-5, 1e-5);
        }
      }
    }
  }
}

TEST_CASE("GPU: channel_sums agrees with the CPU's", "[gpu]") {
  for (const std::int64_t outer : {0, 1, 3, 700}) {
    for (const std::int64_t channels : {0, 1, 5, 37}) {
      for (const std::int64_t inner : {1, 2, 35}) {
        for (const DType dtype : {float32, float64}) {
          expect_twins(
              concat(outer, " ", channels, " ", inner, dtype),
              [&] {
                const Shape shape{outer, channels, inner};
                const Array a = numbers(shape, dtype), b = numbers(shape, dtype), s = numbers({channels}, dtype);
                Array sums({2, channels}, float64);
                visit_float(dtype, "test", [&]<class T>(std::type_identity<T>) {
                  kernels::channel_sums<T>(outer, channels, inner, a.data<T>(), b.data<T>(), s.data<T>(), nullptr,
                                           sums.data<double>());
                });
                return sums;
              },
              1e-5, 1e-3);
        }
      }
    }
  }
}

#endif
