#include "dnn/functions/normalization/normalize.hpp"

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sqrt.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("normalize divides by the norm over one or several axes", "[normalize]") {
  for (const Axes& axis : {Axes(1), Axes{1, 2}, Axes(-1)}) {
    testing::run({.name = "normalize",
                  .op = [=](const Variable& x) { return normalize(x, 0.01, axis); },
                  .composed = [=](const Variable& x) { return x / (sqrt(sum(x * x, axis, true)) + 0.01); },
                  .shapes = {{{2, 3, 4}}, {{0, 3, 2}}},
                  .tolerance = 10});
  }
}

TEST_CASE("normalize: a zero vector stays zero, with a finite gradient", "[normalize]") {
  const Variable x(array({{0.f, 0.f}, {3.f, 4.f}}));
  Variable y = normalize(x, 0.5);
  CHECK(allclose(y.array(), array({{0.f, 0.f}, {3 / 5.5f, 4 / 5.5f}})));
  y.set_grad(ones({2, 2}));
  y.backward();
  CHECK(x.grad().to("cpu").at<float>(0, 0) == 2);
}
