#include "dnn/functions/loss/bernoulli_nll.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/functions/math/average.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("bernoulli_nll: every element", "[bernoulli_nll]") {
  testing::run(
      {.name = "bernoulli_nll, no",
       .op = [](const Variable& x, const Variable& y) { return bernoulli_nll(x, y, Reduce::no); },
       .reference = [](double x, double y) { return std::max(y, 0.0) + std::log1p(std::exp(-std::abs(y))) - x * y; },
       .arity = 2,
       .shapes = {{{3, 4}, {3, 4}}, {{0, 4}, {0, 4}}},
       .specials = {0, 0.5, -1, 3, -20, 30},
       .tolerance = 2});
}

TEST_CASE("bernoulli_nll: summed by default, or averaged", "[bernoulli_nll]") {
  for (const bool mean_wanted : {false, true}) {
    testing::run(
        {.name = "bernoulli_nll",
         .op = [=](const Variable& x,
                   const Variable& y) { return mean_wanted ? bernoulli_nll(x, y, Reduce::mean) : bernoulli_nll(x, y); },
         .composed =
             [=](const Variable& x, const Variable& y) {
               const Variable every = bernoulli_nll(x, y, Reduce::no);
               return mean_wanted ? mean(every) : sum(every);
             },
         .arity = 2,
         .shapes = {{{3, 4}, {3, 4}}},
         .tolerance = 2});
  }
  CHECK_THROWS_AS(bernoulli_nll(zeros({2}), zeros({2, 1})), ArgumentError);
  CHECK_THROWS_AS(bernoulli_nll(zeros({2}), zeros({2}), Reduce::sum_along_second_axis), ArgumentError);
}
