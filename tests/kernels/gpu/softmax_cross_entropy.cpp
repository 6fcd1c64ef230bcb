#include "dnn/kernels/softmax_cross_entropy.hpp"

#if DNN_CUDA

#include "dnn/autograd/backward.hpp"
#include "dnn/functions/array/concat.hpp"
#include "dnn/functions/loss/softmax_cross_entropy.hpp"
#include "kernels/gpu/twins.hpp"

using namespace dnn;
using namespace device_test;

namespace {

/// Labels of (3, inner) positions: -1 is among them.
Array labels(std::int64_t inner, std::int64_t classes) {
  Array t({3, inner}, int64, Device{});
  for (std::int64_t i = 0; i < t.size(); ++i) t.data<std::int64_t>()[i] = i % 5 == 3 ? -1 : (i * 7 + 1) % classes;
  return t.to(current_device());
}

}  // namespace

TEST_CASE("GPU: softmax_cross_entropy and its gradient agree with the CPU's", "[gpu]") {
  for (const std::int64_t inner : {1, 6, 300}) {
    for (const std::int64_t classes : {1, 10, 130, 3000}) {
      if (inner * classes > 3000) continue;
      for (const DType dtype : {float32, float64, DType::float16, DType::bfloat16}) {
        const double tolerance = dtype == DType::bfloat16 ? 1e-2 : dtype == DType::float16 ? 2e-3 : 1e-5;
        for (const int kind : {0, 1, 2, 3}) {
          expect_twins(
              concat(inner, " ", classes, dtype, kind),
              [&] {
                const Variable x(numbers({3, classes, inner}, dtype));
                SoftmaxCrossEntropyOptions options{.normalize = kind != 1,
                                                   .reduce = kind == 2 ? Reduce::no : Reduce::mean};
                if (kind == 3) options.class_weight = random::uniform({classes}, 0.5, 2, float32);
                const Variable loss = softmax_cross_entropy(x, labels(inner, classes), options);
                Variable weighted = loss * numbers(loss.shape(), dtype);
                weighted.set_grad(Variable(ones(loss.shape(), dtype)));
                weighted.backward();
                const Variable parts[] = {reshape(loss, {-1}), x.grad().reshape({-1})};
                return concat(std::span(parts), 0).array();
              },
              tolerance, tolerance);
        }
      }
    }
  }
}

TEST_CASE("GPU: what a label that is no class gives is NaN, and nothing else is", "[gpu]") {
  const auto device = using_device("cuda:0");
  const Variable x(ones({3, 4}));
  Variable losses = softmax_cross_entropy(x, array<std::int64_t>({2, 4, -1}), {.reduce = Reduce::no});
  losses.set_grad(Variable(ones({3})));
  losses.backward();
  const Array y = losses.array().to("cpu"), g = x.grad().to("cpu");
  CHECK(y.at<float>(0) == Approx(std::log(4.0)));
  CHECK(std::isnan(y.at<float>(1)));
  CHECK(y.at<float>(2) == 0);
  CHECK(g.at<float>(0, 2) == Approx(-0.75));
  for (int c = 0; c < 4; ++c) CHECK((std::isnan(g.at<float>(1, c)) && g.at<float>(2, c) == 0));
}

TEST_CASE("GPU: softmax_cross_entropy reads the scores twice, in three launches", "[gpu]") {
  const auto device = using_device("cuda:0");
  const Variable x(ones({300, 10}));
  const Array t = zeros({300}, int64);
  Variable loss;
  CHECK(launches([&] { loss = softmax_cross_entropy(x, t); }) == 3);  // the first copies the labels
  CHECK(launches([&] { loss.backward(); }) == 2);                     // the first writes a 1
}

#endif
