#include "dnn/functions/loss/gaussian_kl_divergence.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("gaussian_kl_divergence: every element", "[gaussian_kl_divergence]") {
  testing::run(
      {.name = "gaussian_kl_divergence, no",
       .op = [](const Variable& mean,
                const Variable& ln_var) { return gaussian_kl_divergence(mean, ln_var, Reduce::no); },
       .reference = [](double mean, double ln_var) { return (mean * mean + std::exp(ln_var) - ln_var - 1) / 2; },
       .arity = 2,
       .shapes = {{{3, 4}, {3, 4}}, {{0, 4}, {0, 4}}},
       .specials = {0, 0.5, -1, 3, -20, 30},
       .tolerance = 2});
}

TEST_CASE("gaussian_kl_divergence: summed by default, or averaged", "[gaussian_kl_divergence]") {
  for (const bool mean_wanted : {false, true}) {
    testing::run({.name = "gaussian_kl_divergence",
                  .op =
                      [=](const Variable& mean, const Variable& ln_var) {
                        return mean_wanted ? gaussian_kl_divergence(mean, ln_var, Reduce::mean)
                                           : gaussian_kl_divergence(mean, ln_var);
                      },
                  .composed =
                      [=](const Variable& mean, const Variable& ln_var) {
                        const Variable every = gaussian_kl_divergence(mean, ln_var, Reduce::no);
                        return mean_wanted ? dnn::mean(every) : sum(every);
                      },
                  .arity = 2,
                  .shapes = {{{3, 4}, {3, 4}}},
                  .tolerance = 2});
  }
  CHECK_THROWS_AS(gaussian_kl_divergence(zeros({2}), zeros({2, 1})), ArgumentError);
  CHECK_THROWS_AS(gaussian_kl_divergence(zeros({2}), zeros({2}), Reduce::sum_along_second_axis), ArgumentError);
}
