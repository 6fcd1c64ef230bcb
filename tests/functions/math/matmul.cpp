#include "dnn/functions/math/matmul.hpp"
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/array/transpose.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {
/// The product spelled out: (..., m, k, 1) * (..., 1, k, n), summed over k.
Variable plain(Variable a, Variable b, bool transa, bool transb) {
  if (transa) a = swapaxes(a, -1, -2);
  if (transb) b = swapaxes(b, -1, -2);
  const Shape left = a.shape().with_inserted(a.ndim(), 1), right = b.shape().with_inserted(b.ndim() - 2, 1);
  return sum(reshape(a, left) * reshape(b, right), -2);
}
}  // namespace

TEST_CASE("matmul: flags, batches, broadcasting", "[matmul]") {
  for (const bool transa : {false, true}) {
    for (const bool transb : {false, true}) {
      const auto sides = [&](std::int64_t m, std::int64_t k, std::int64_t n, Shape a, Shape b) {
        a = a.with_inserted(a.ndim(), transa ? k : m);
        a = a.with_inserted(a.ndim(), transa ? m : k);
        b = b.with_inserted(b.ndim(), transb ? n : k);
        b = b.with_inserted(b.ndim(), transb ? k : n);
        return std::vector<Shape>{a, b};
      };
      testing::run({.name = concat("matmul ", transa, " ", transb),
                    .op =
                        [=](const Variable& a, const Variable& b) {
                          return matmul(a, b, {transa, transb});
                        },
                    .composed = [=](const Variable& a, const Variable& b) { return plain(a, b, transa, transb); },
                    .arity = 2,
                    .shapes = {sides(3, 4, 5, {}, {}), sides(1, 1, 1, {}, {}), sides(17, 33, 9, {}, {}),
                               sides(2, 3, 4, {3}, {3}), sides(2, 3, 4, {2, 1}, {3}), sides(2, 3, 4, {3}, {}),
                               sides(2, 3, 4, {}, {2}), sides(2, 0, 3, {}, {}), sides(0, 2, 3, {2}, {2})},
                    .tolerance = 3});
    }
  }
}

TEST_CASE("matmul: vectors", "[matmul]") {
  const Array m = array({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}}), v = array({1.f, 0.f, -1.f}), w = array({1.f, 10.f});
  CHECK(array_equal(matmul(m, v).array(), array({-2.f, -2.f})));
  CHECK(array_equal(matmul(w, m).array(), array({41.f, 52.f, 63.f})));
  CHECK(array_equal(matmul(m, w, {.transa = true}).array(), array({41.f, 52.f, 63.f})));
  CHECK(array_equal(matmul(v, v).array(), full({}, 2.f)));
  CHECK(matmul(ones({4, 2, 3}), v).shape() == Shape{4, 2});
  CHECK(matmul(w, ones({4, 2, 3})).shape() == Shape{4, 3});
}

TEST_CASE("matmul: a large product agrees with float64", "[matmul]") {
  const Array a = random::normal({150, 700}), b = random::normal({700, 130});
  CHECK(allclose(matmul(a, b).array(), matmul(a.to(float64), b.to(float64)).array(), 1e-4, 1e-3));
}

TEST_CASE("matmul: operands that do not fit", "[matmul]") {
  CHECK_THROWS_WITH(matmul(ones({2, 3}), ones({2, 3})), Catch::Matchers::ContainsSubstring("3 != 2"));
  CHECK_THROWS_AS(matmul(ones({2, 2, 3}), ones({3, 3, 2})), ShapeError);
  CHECK_THROWS_AS(matmul(full({}, 1.f), ones({2})), ArgumentError);
  CHECK_THROWS_AS(matmul(Variable{}, ones({2})), ArgumentError);
  CHECK_THROWS_AS(matmul(ones({2, 2}), ones({2, 2}, float64)), ArgumentError);
  CHECK_THROWS_AS(matmul(ones({2, 2}, int32), ones({2, 2}, int32)), DTypeError);
}
