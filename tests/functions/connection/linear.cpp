#include "dnn/functions/connection/linear.hpp"

#include "catch.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/array/transpose.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/matmul.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("linear: with and without bias, odd and empty sizes", "[linear]") {
  testing::run({.name = "linear",
                .op = [](const Variable& x, const Variable& W, const Variable& b) { return linear(x, W, b); },
                .composed =
                    [](const Variable& x, const Variable& W, const Variable& b) {
                      return matmul(reshape(x, {x.shape()[0], W.shape()[1]}), transpose(W)) + b;
                    },
                .arity = 3,
                .shapes = {{{3, 4}, {5, 4}, {5}},
                           {{1, 1}, {1, 1}, {1}},
                           {{17, 33}, {9, 33}, {9}},
                           {{2, 3, 2}, {4, 6}, {4}},
                           {{0, 3}, {2, 3}, {2}},
                           {{2, 0}, {3, 0}, {3}},
                           {{2, 3}, {0, 3}, {0}}},
                .tolerance = 3});
  testing::run({.name = "linear without bias",
                .op = [](const Variable& x, const Variable& W) { return linear(x, W); },
                .composed = [](const Variable& x, const Variable& W) { return matmul(x, transpose(W)); },
                .arity = 2,
                .shapes = {{{3, 4}, {5, 4}}, {{70, 5}, {40, 5}}},
                .tolerance = 3});
}

TEST_CASE("linear keeps n_batch_axes leading axes", "[linear]") {
  testing::run({.name = "linear, 2 batch axes",
                .op = [](const Variable& x, const Variable& W, const Variable& b) { return linear(x, W, b, 2); },
                .composed =
                    [](const Variable& x, const Variable& W, const Variable& b) {
                      const Shape lead = x.shape().slice(0, 2);
                      return reshape(matmul(reshape(x, {lead.size(), W.shape()[1]}), transpose(W)) + b,
                                     lead.with_inserted(2, W.shape()[0]));
                    },
                .arity = 3,
                .shapes = {{{2, 3, 4}, {5, 4}, {5}}, {{2, 3, 2, 2}, {5, 4}, {5}}, {{2, 3}, {5, 1}, {5}}},
                .tolerance = 3});
}

TEST_CASE("linear says what does not fit", "[linear]") {
  const Array x = zeros({2, 784}), W = zeros({5, 100});
  CHECK_THROWS_WITH(linear(x, W), ContainsSubstring("[linear] x.shape()[1] == W.shape()[1] does not hold: 784 != 100"));
  CHECK_THROWS_AS(linear(x, zeros({5, 784}), zeros({4})), ArgumentError);
  CHECK_THROWS_AS(linear(x, zeros({5, 784}, float64)), ArgumentError);
  CHECK_THROWS_AS(linear(x, zeros({784})), ArgumentError);
  CHECK_THROWS_AS(linear(zeros({2, 3}, int32), zeros({5, 3}, int32)), ArgumentError);
  CHECK_THROWS_AS(linear(x, zeros({5, 784}), {}, 0), ArgumentError);
  CHECK_THROWS_AS(linear(x, zeros({5, 784}), {}, 3), ArgumentError);
}

#if DNN_CUDA
TEST_CASE("linear and matmul multiply 16-bit floats as they are on a GPU", "[linear]") {
  const DType dtype = GENERATE(DType::float16, DType::bfloat16);
  const auto host = using_device("cpu");
  const Array x = random::uniform({9, 20}).to(dtype), W = random::uniform({17, 20}).to(dtype), b = zeros({17}, dtype);
  const Array y = linear(x.to(float32), W.to(float32), b.to(float32)).array();
  const auto gpu = using_device("cuda:0");
  const auto there = [](const Array& a) { return Variable(a.to("cuda:0")); };
  const Variable result = linear(there(x), there(W), there(b));
  const Variable product = matmul(there(x), there(W), {.transb = true});
  CHECK(result.dtype() == dtype);
  CHECK(allclose(result.array().to("cpu").to(float32), y, 1e-2, 1e-2));
  CHECK(allclose(product.array().to("cpu").to(float32), y, 1e-2, 1e-2));
}
#endif
