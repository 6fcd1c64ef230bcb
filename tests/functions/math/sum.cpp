#include "dnn/functions/math/sum.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {
/// The sum over the masked axes, element by element.
Array plain_sum(const Array& x, unsigned mask, bool keepdims) {
  Array kept = zeros(reduced_shape(x.shape(), mask, true), float64);
  const auto strides = strides_of(kept.shape());
  for (std::int64_t i = 0; i < x.size(); ++i) {
    std::int64_t rest = i, at = 0;
    for (int axis = x.ndim() - 1; axis >= 0; --axis) {
      if (!(mask >> axis & 1)) at += rest % x.shape()[axis] * strides[static_cast<std::size_t>(axis)];
      rest /= x.shape()[axis];
    }
    kept.data<double>()[at] += x.data<double>()[i];
  }
  return kept.reshape(reduced_shape(x.shape(), mask, keepdims));
}
}  // namespace

TEST_CASE("sum: every pattern of axes", "[sum]") {
  for (unsigned mask = 1; mask < 16; ++mask) {
    for (const bool keepdims : {false, true}) {
      std::vector<int> axes;
      for (int i = 0; i < 4; ++i) {
        if (mask >> i & 1) axes.push_back(i % 2 ? i : i - 4);
      }
      testing::run({.name = concat("sum ", mask),
                    .op = [=](const Variable& x) { return sum(x, Axes(axes), keepdims); },
                    .array_reference = [=](const Arrays& x) { return Arrays{plain_sum(x[0], mask, keepdims)}; },
                    .shapes = {{{2, 3, 1, 5}}, {{3, 0, 2, 2}}},
                    .dtypes = {float32, float64}});
    }
  }
}

TEST_CASE("sum over everything by default, of scalars and of nothing", "[sum]") {
  testing::run(
      {.name = "sum",
       .op = [](const Variable& x) { return sum(x); },
       .array_reference = [](const Arrays& x) { return Arrays{plain_sum(x[0], (1u << x[0].ndim()) - 1, false)}; }});
  CHECK(sum(zeros({0})).item() == 0);
  CHECK(array_equal(sum(zeros({0, 3}), 0).array(), zeros({3})));
}

TEST_CASE("sum of integers and bools is int64", "[sum]") {
  CHECK(array_equal(sum(array({{true, true}, {false, true}}), 0).array(), array({std::int64_t{1}, std::int64_t{2}})));
  CHECK(sum(array({2000000000, 2000000000})).item<std::int64_t>() == 4000000000);
}

TEST_CASE("sum is accurate for many elements and in float16", "[sum]") {
  CHECK(sum(full({3000000}, 0.1f)).item() == Approx(3000000 * static_cast<double>(0.1f)).epsilon(1e-6));
  CHECK(sum(full({5000}, 1, DType::float16)).item() == 5000);
}

TEST_CASE("sum: axes that cannot be", "[sum]") {
  const Array x = zeros({2, 3});
  CHECK_THROWS_AS(sum(x, 2), IndexError);
  CHECK_THROWS_AS(sum(x, {0, -2}), ArgumentError);
}
