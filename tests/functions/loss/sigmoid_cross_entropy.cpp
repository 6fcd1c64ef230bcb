#include "dnn/functions/loss/sigmoid_cross_entropy.hpp"

#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("sigmoid_cross_entropy: reductions, ignored labels, gradients", "[sigmoid_cross_entropy]") {
  const Array t = array({{1, 0, -1}, {0, 1, 1}, {-1, -1, 0}, {1, 1, 0}});
  for (const bool normalize : {true, false}) {
    for (const Reduce reduce : {Reduce::mean, Reduce::no}) {
      testing::run({.name = "sigmoid_cross_entropy",
                    .op =
                        [=](const Variable& x) {
                          return sigmoid_cross_entropy(x, t, {normalize, reduce});
                        },
                    .array_reference =
                        [=](const Arrays& in) {
                          Array y = zeros({4, 3}, float64);
                          double sum = 0;
                          for (std::int64_t i = 0; i < 12; ++i) {
                            const int label = t.to("cpu").data<int>()[i];
                            const double p = 1 / (1 + std::exp(-in[0].data<double>()[i]));
                            if (label != -1) sum += y.data<double>()[i] = -std::log(label ? p : 1 - p);
                          }
                          return Arrays{reduce == Reduce::no ? y : scalar(sum / (normalize ? 9 : 4))};
                        },
                    .shapes = {{{4, 3}}},
                    .tolerance = 2});
    }
  }
}

TEST_CASE("sigmoid_cross_entropy: large scores, NaN behind an ignored label, nothing valid",
          "[sigmoid_cross_entropy]") {
  const Array x = array({1000.f, -1000.f, 1000.f, std::nanf("")});
  const Array y = sigmoid_cross_entropy(x, array({1, 0, 0, -1}), {.reduce = Reduce::no}).array();
  CHECK(array_equal(y, array({0.f, 0.f, 1000.f, 0.f})));
  const Variable v(array({1.f, std::nanf("")}));
  const Variable loss = sigmoid_cross_entropy(v, array({-1, -1}));
  CHECK(loss.item() == 0);
  loss.backward();
  CHECK(array_equal(v.grad(), zeros({2})));
}

TEST_CASE("sigmoid_cross_entropy says what does not fit", "[sigmoid_cross_entropy]") {
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  CHECK_THROWS_AS(sigmoid_cross_entropy(zeros({2}), array({0, 2})), ArgumentError);
  CHECK_THROWS_AS(sigmoid_cross_entropy(zeros({2}), array({0})), ArgumentError);
  CHECK_THROWS_AS(sigmoid_cross_entropy(zeros({2}), zeros({2})), DTypeError);
  CHECK_THROWS_AS(sigmoid_cross_entropy(zeros({2}), array({0, 1}), {.reduce = Reduce::sum}), ArgumentError);
}
