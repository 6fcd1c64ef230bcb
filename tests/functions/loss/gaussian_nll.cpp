#include "dnn/functions/loss/gaussian_nll.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("gaussian_nll: every element", "[gaussian_nll]") {
  testing::run({.name = "gaussian_nll, no",
                .op = [](const Variable& x, const Variable& m,
                         const Variable& ln_var) { return gaussian_nll(x, m, ln_var, Reduce::no); },
                .reference =
                    [](double x, double m, double ln_var) {
                      return (std::log(2 * 3.14159265358979323846) + ln_var + (x - m) * (x - m) * std::exp(-ln_var)) /
                             2;
                    },
                .arity = 3,
                .shapes = {{{3, 4}, {3, 4}, {3, 4}}, {{0, 4}, {0, 4}, {0, 4}}},
                .specials = {0, 0.5, -1, 3, -20, 30},
                .tolerance = 2});
}

TEST_CASE("gaussian_nll: summed by default, or averaged", "[gaussian_nll]") {
  for (const bool mean_wanted : {false, true}) {
    testing::run({.name = "gaussian_nll",
                  .op =
                      [=](const Variable& x, const Variable& m, const Variable& ln_var) {
                        return mean_wanted ? gaussian_nll(x, m, ln_var, Reduce::mean) : gaussian_nll(x, m, ln_var);
                      },
                  .composed =
                      [=](const Variable& x, const Variable& m, const Variable& ln_var) {
                        const Variable every = gaussian_nll(x, m, ln_var, Reduce::no);
                        return mean_wanted ? mean(every) : sum(every);
                      },
                  .arity = 3,
                  .shapes = {{{3, 4}, {3, 4}, {3, 4}}},
                  .tolerance = 2});
  }
  CHECK_THROWS_AS(gaussian_nll(zeros({2}), zeros({2}), zeros({2, 1})), ArgumentError);
  CHECK_THROWS_AS(gaussian_nll(zeros({2}), zeros({2}), zeros({2}), Reduce::sum_along_second_axis), ArgumentError);
}
