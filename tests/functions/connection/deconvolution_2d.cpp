#include "dnn/functions/connection/deconvolution_2d.hpp"

#include "catch.hpp"
#include "dnn/testing/op_test.hpp"
#include "functions/connection/reference.hpp"

using namespace dnn;

namespace {

/// The transpose spelled out: x[k] is the inner product of the input with the convolution of the k-th unit image.
Array plain_deconvolution(const Array& x, const Array& W, const Array& b, const Shape& out,
                          const Convolution2DOptions& options) {
  Array y(out, float64);
  const auto image = out.slice(1, 4).size();
  for (std::int64_t n = 0; n < out[0]; ++n) {
    for (std::int64_t k = 0; k < image; ++k) {
      Array unit = zeros({1, out[1], out[2], out[3]}, float64);
      unit.data<double>()[k] = 1;
      const Array seen = plain_convolution(unit, W, {}, options);
      double sum = b.defined() ? b.data<double>()[k / (out[2] * out[3])] : 0;
      for (std::int64_t i = 0; i < seen.size(); ++i)
        sum += seen.data<double>()[i] * x.data<double>()[n * seen.size() + i];
      y.data<double>()[n * image + k] = sum;
    }
  }
  return y;
}

void check(const char* name, const Deconvolution2DOptions& options, const Shape& x, const Shape& W, const Shape& out,
           bool cover_all = false) {
  testing::run({.name = name,
                .op = [=](const Variable& v, const Variable& w,
                          const Variable& b) { return deconvolution_2d(v, w, b, options); },
                .array_reference =
                    [=](const Arrays& in) {
                      return Arrays{plain_deconvolution(in[0], in[1], in[2], out,
                                                        {.stride = options.stride,
                                                         .pad = options.pad,
                                                         .cover_all = cover_all,
                                                         .dilate = options.dilate,
                                                         .groups = options.groups})};
                    },
                .arity = 3,
                .shapes = {{x, W, {out[1]}}},
                .tolerance = 4});
}

}  // namespace

TEST_CASE("deconvolution_2d is the transpose of convolution_2d", "[deconvolution_2d]") {
  check("plain", {}, {2, 4, 3, 4}, {4, 3, 2, 3}, {2, 3, 4, 6});
  check("stride and pad", {.stride = {2, 3}, .pad = {1, 0}}, {1, 2, 3, 2}, {2, 3, 3, 2}, {1, 3, 5, 5});
  check("dilate", {.dilate = 2}, {1, 2, 3, 2}, {2, 3, 3, 2}, {1, 3, 7, 4});
  check("groups", {.groups = 2}, {1, 4, 3, 2}, {4, 3, 3, 2}, {1, 6, 5, 3});
  check("1x1", {}, {2, 4, 3, 4}, {4, 3, 1, 1}, {2, 3, 3, 4});
  check("outsize", {.stride = 2, .outsize = Pair{6, 7}}, {1, 2, 2, 3}, {2, 3, 3, 2}, {1, 3, 6, 7});
  check("outsize of a convolution with cover_all", {.stride = 2, .outsize = Pair{4, 5}}, {1, 2, 2, 3}, {2, 3, 3, 2},
        {1, 3, 4, 5}, true);
}

TEST_CASE("deconvolution_2d says what does not fit", "[deconvolution_2d]") {
  const Array x = zeros({2, 3, 4, 4}), W = zeros({3, 2, 3, 3});
  CHECK(deconvolution_2d(x, W).shape() == Shape({2, 2, 6, 6}));
  CHECK(deconvolution_2d(zeros({0, 3, 4, 4}), W).shape() == Shape({0, 2, 6, 6}));
  CHECK_THROWS_AS(deconvolution_2d(x, zeros({2, 2, 3, 3})), ArgumentError);
  CHECK_THROWS_AS(deconvolution_2d(x, W, zeros({3})), ArgumentError);
  CHECK_THROWS_AS(deconvolution_2d(x, W, {}, {.outsize = Pair{9, 6}}), ArgumentError);
  CHECK_THROWS_AS(deconvolution_2d(x, W, {}, {.outsize = Pair{0, 6}}), ArgumentError);
  CHECK_THROWS_AS(deconvolution_2d(x, W, {}, {.pad = 3}), ArgumentError);
  CHECK_THROWS_AS(deconvolution_2d(x, W, {}, {.stride = 0}), ArgumentError);
}
