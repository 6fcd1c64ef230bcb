#include "dnn/functions/loss/hinge.hpp"

#include <algorithm>

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("hinge: L1 and L2, mean and no", "[hinge]") {
  const Array t = array({2, 0, 1});
  for (const HingeNorm norm : {HingeNorm::L1, HingeNorm::L2}) {
    for (const Reduce reduce : {Reduce::mean, Reduce::no}) {
      testing::run({.name = "hinge",
                    .op =
                        [=](const Variable& x) {
                          return hinge(x, t, {norm, reduce});
                        },
                    .array_reference =
                        [=](const Arrays& in) {
                          Array y({3, 4}, float64);
                          double sum = 0;
                          for (std::int64_t i = 0; i < 12; ++i) {
                            const double s = i % 4 == t.to("cpu").at<int>(i / 4) ? 1 : -1;
                            double loss = std::max(0.0, 1 - s * in[0].data<double>()[i]);
                            if (norm == HingeNorm::L2) loss *= loss;
                            sum += y.data<double>()[i] = loss;
                          }
                          return Arrays{reduce == Reduce::no ? y : scalar(sum / 3)};
                        },
                    .shapes = {{{3, 4}}},
                    .kinks = {-1, 1},
                    .tolerance = 2});
    }
  }
}

TEST_CASE("hinge names a label out of range", "[hinge]") {
  const auto debug = debug_mode();  // a GPU checks labels only in this mode
  CHECK_THROWS_WITH(hinge(zeros({2, 3}), array({0, 3})),
                    ContainsSubstring("label 3 at index 1 is out of range for 3 classes"));
  CHECK_THROWS_AS(hinge(zeros({2, 3}), array({0, -1})), ArgumentError);
  CHECK_THROWS_AS(hinge(zeros({2, 3}), array({0})), ArgumentError);
  CHECK_THROWS_AS(hinge(zeros({2, 3}), array({0, 1}), {.reduce = Reduce::sum}), ArgumentError);
}
