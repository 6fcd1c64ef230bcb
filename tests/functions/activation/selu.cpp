#include <cmath>

#include "catch.hpp"
#include "dnn/functions/activation/selu.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("selu is a scaled elu", "[selu]") {
  testing::run(
      {.name = "selu",
       .op = [](const Variable& x) { return selu(x); },
       .reference = [](double x) { return 1.0507009873554805 * (x >= 0 ? x : 1.6732632423543772 * std::expm1(x)); },
       .kinks = {0}});
}
