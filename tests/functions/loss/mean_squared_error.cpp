#include "dnn/functions/loss/mean_squared_error.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("mean_squared_error: values and gradients", "[mean_squared_error]") {
  testing::run({.name = "mean_squared_error",
                .op = [](const Variable& a, const Variable& b) { return mean_squared_error(a, b); },
                .array_reference =
                    [](const Arrays& in) {
                      double sum = 0;
                      for (std::int64_t i = 0; i < in[0].size(); ++i) {
                        const double d = in[0].data<double>()[i] - in[1].data<double>()[i];
                        sum += d * d;
                      }
                      return Arrays{scalar(sum / static_cast<double>(in[0].size()))};
                    },
                .arity = 2,
                .shapes = {{{}, {}}, {{7, 3}, {7, 3}}, {{2, 3, 1, 2}, {2, 3, 1, 2}}},
                .tolerance = 2});
  CHECK(std::isnan(mean_squared_error(zeros({0}), zeros({0})).item()));
}

TEST_CASE("mean_squared_error does not broadcast", "[mean_squared_error]") {
  CHECK_THROWS_AS(mean_squared_error(zeros({3, 1}), zeros({3})), ArgumentError);
  CHECK_THROWS_AS(mean_squared_error(Variable{}, zeros({})), ArgumentError);
  CHECK_THROWS_AS(mean_squared_error(zeros({3}), zeros({3}, float64)), DTypeError);
}
