#include "dnn/functions/loss/huber_loss.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

namespace {
double plain(double x, double t, double delta) {
  const double d = std::abs(x - t);
  return d <= delta ? d * d / 2 : delta * (d - delta / 2);
}
}  // namespace

TEST_CASE("huber_loss: every element", "[huber_loss]") {
  testing::run({.name = "huber_loss, no",
                .op = [](const Variable& x, const Variable& t) { return huber_loss(x, t, 0.7, Reduce::no); },
                .reference = [](double x, double t) { return plain(x, t, 0.7); },
                .arity = 2,
                .shapes = {{{}, {}}, {{5, 3}, {5, 3}}, {{0, 2}, {0, 2}}},
                .specials = {0, 0.7, -0.7, 1, 3, -4, 1e6, std::nan("")}});
}

TEST_CASE("huber_loss is summed along the second axis", "[huber_loss]") {
  testing::run({.name = "huber_loss",
                .op = [](const Variable& x, const Variable& t) { return huber_loss(x, t, 1.5); },
                .array_reference =
                    [](const Arrays& in) {
                      const Shape& s = in[0].shape();
                      const auto inner = s.size() / std::max<std::int64_t>(s[0] * s[1], 1);
                      Array y = zeros(s.without(1), float64);
                      for (std::int64_t i = 0; i < s.size(); ++i) {
                        y.data<double>()[i / (s[1] * inner) * inner + i % inner] +=
                            plain(in[0].data<double>()[i], in[1].data<double>()[i], 1.5);
                      }
                      return Arrays{y};
                    },
                .arity = 2,
                .shapes = {{{4, 5}, {4, 5}}, {{2, 3, 2}, {2, 3, 2}}, {{2, 0}, {2, 0}}}});
}

TEST_CASE("huber_loss says what does not fit", "[huber_loss]") {
  CHECK_THROWS_AS(huber_loss(zeros({3}), zeros({3}), 1), ArgumentError);
  CHECK_THROWS_AS(huber_loss(zeros({3, 1}), zeros({3}), 1), ArgumentError);
  CHECK_THROWS_AS(huber_loss(zeros({3, 1}), zeros({3, 1}), 0), ArgumentError);
  CHECK_THROWS_AS(huber_loss(zeros({3, 1}), zeros({3, 1}), -1), ArgumentError);
  CHECK_THROWS_AS(huber_loss(Variable{}, zeros({3, 1}), 1), ArgumentError);
  CHECK_THROWS_AS(huber_loss(zeros({3, 2}), zeros({3, 2}), 1, Reduce::mean), ArgumentError);
}
