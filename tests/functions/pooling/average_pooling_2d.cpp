#include "dnn/functions/pooling/average_pooling_2d.hpp"

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"

using namespace dnn;

TEST_CASE("average_pooling_2d divides by the window, padding included", "[average_pooling_2d]") {
  const auto check = [](Pair k, const AveragePooling2DOptions& o, const Shape& shape, std::int64_t out_h,
                        std::int64_t out_w) {
    testing::run({.name = "average_pooling_2d",
                  .op = [=](const Variable& x) { return average_pooling_2d(x, k, o); },
                  .array_reference =
                      [=](const Arrays& in) {
                        const Array& x = in[0];
                        const Pair s = o.stride == Pair(0) ? k : o.stride;
                        Array y = zeros({x.shape()[0], x.shape()[1], out_h, out_w}, float64);
                        for (std::int64_t i = 0; i < y.size(); ++i) {
                          const auto ox = i % out_w, oy = i / out_w % out_h, plane = i / (out_w * out_h);
                          for (std::int64_t v = 0; v < k.y; ++v) {
                            for (std::int64_t u = 0; u < k.x; ++u) {
                              const auto py = oy * s.y - o.pad.y + v, px = ox * s.x - o.pad.x + u;
                              if (py < 0 || py >= x.shape()[2] || px < 0 || px >= x.shape()[3]) continue;
                              y.data<double>()[i] += x.data<double>()[(plane * x.shape()[2] + py) * x.shape()[3] + px] /
                                                     static_cast<double>(k.y * k.x);
                            }
                          }
                        }
                        return Arrays{y};
                      },
                  .shapes = {{shape}}});
  };
  check(2, {}, {2, 3, 4, 6}, 2, 3);
  check(2, {}, {1, 1, 5, 5}, 2, 2);
  check({2, 3}, {.stride = {1, 2}}, {1, 2, 5, 6}, 4, 2);
  check(3, {.stride = 2, .pad = 1}, {2, 2, 6, 5}, 3, 3);
  check(2, {}, {0, 3, 4, 6}, 2, 3);
  CHECK_THROWS_AS(average_pooling_2d(zeros({1, 1, 2, 2}), 3), ArgumentError);
}
