#include "dnn/functions/evaluation/binary_accuracy.hpp"

#include "catch.hpp"

using namespace dnn;

TEST_CASE("binary_accuracy: 0 is class 1, -1 is left out", "[binary_accuracy]") {
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  const Array y = array({0.f, -0.1f, 3.f, -2.f, 1.f});
  CHECK(binary_accuracy(y, array({1, 0, 0, -1, 1})).item() == 0.75);
  CHECK(binary_accuracy(y, full({5}, -1, int32)).item() == 0);
  CHECK(binary_accuracy(zeros({0, 2}), zeros({0, 2}, int32)).item() == 0);
  CHECK(binary_accuracy(y.reshape({5, 1}).to(float64), array({1, 0, 0, -1, 1}).reshape({5, 1})).dtype() == float64);
  CHECK_THROWS_AS(binary_accuracy(y, array({1, 0, 0, 2, 1})), ArgumentError);
  CHECK_THROWS_AS(binary_accuracy(y, array({1})), ArgumentError);
}
