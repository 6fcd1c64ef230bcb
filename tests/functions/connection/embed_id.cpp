#include "dnn/functions/connection/embed_id.hpp"

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("embed_id picks rows; the gradients of equal ids add up", "[embed_id]") {
  const Array ids = array({{2, 0}, {2, 1}, {2, -1}});
  const Variable W(array({{1.f, 2.f}, {3.f, 4.f}, {5.f, 6.f}, {7.f, 8.f}}));
  Variable y = embed_id(ids, W, -1);
  CHECK(array_equal(y.array(), array({{{5.f, 6.f}, {1.f, 2.f}}, {{5.f, 6.f}, {3.f, 4.f}}, {{5.f, 6.f}, {0.f, 0.f}}})));
  y.set_grad(ones(y.shape()));
  y.backward();
  CHECK(array_equal(W.grad(), array({{1.f, 1.f}, {1.f, 1.f}, {3.f, 3.f}, {0.f, 0.f}})));
  CHECK(embed_id(zeros({0, 3}, int64), W).shape() == Shape({0, 3, 2}));
  CHECK(embed_id(scalar(1), W).shape() == Shape({2}));
}

TEST_CASE("embed_id: dtypes and second derivatives", "[embed_id]") {
  const Array ids = array({3, 0, 3, 1});
  testing::run({.name = "embed_id",
                .op = [=](const Variable& W) { return embed_id(ids, W, 1); },
                .array_reference =
                    [](const Arrays& in) {
                      Array y = zeros({4, in[0].shape()[1]}, float64);
                      const std::int64_t rows[] = {3, 0, 3};
                      for (std::int64_t i = 0; i < 3; ++i) y[i].assign(in[0][rows[i]]);
                      return Arrays{y};
                    },
                .shapes = {{{4, 3}}, {{5, 0}}}});
}

TEST_CASE("embed_id names an id out of range", "[embed_id]") {
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  const Variable W(zeros({4, 2}));
  CHECK_THROWS_WITH(embed_id(array({0, 4}), W),
                    ContainsSubstring("[embed_id] label 4 at index 1 is out of range for 4 classes"));
  CHECK_THROWS_AS(embed_id(array({-1}), W), ArgumentError);
  CHECK_THROWS_AS(embed_id(array({std::int64_t{1} << 40}), W), ArgumentError);
  CHECK_THROWS_AS(embed_id(array({0.f}), W), DTypeError);
}
