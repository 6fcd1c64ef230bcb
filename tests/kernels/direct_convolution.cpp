#include "dnn/kernels/direct_convolution.hpp"

#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/kernels/convolution.hpp"
#include "every_isa.hpp"

using namespace dnn;
using kernels::Convolution2D;
using kernels::Window2D;

namespace {

Window2D window(std::int64_t h, std::int64_t w, std::int64_t k_h, std::int64_t k_w, std::int64_t pad,
                std::int64_t dilate = 1, std::int64_t stride = 1) {
  Window2D out{};
  out.h = h, out.w = w, out.k_h = k_h, out.k_w = k_w, out.p_y = out.p_x = pad, out.d_y = out.d_x = dilate;
  out.s_y = out.s_x = stride;
  out.out_h = (h + 2 * pad - (k_h - 1) * dilate - 1) / stride + 1;
  out.out_w = (w + 2 * pad - (k_w - 1) * dilate - 1) / stride + 1;
  return out;
}

/// Calls f(index of x, of W, of y) for every product that a convolution consists of.
template <class F>
void for_each_product(const Convolution2D& c, F f) {
  const Window2D& w = c.window;
  for (std::int64_t n = 0; n < c.batch; ++n) {
    for (std::int64_t o = 0; o < c.out_channels; ++o) {
      for (std::int64_t i = 0; i < c.group_in(); ++i) {
        const auto channel = o / c.group_out() * c.group_in() + i;
        for (std::int64_t cell = 0; cell < w.cells(); ++cell) {
          for (std::int64_t place = 0; place < w.places(); ++place) {
            const auto y = place / w.out_w * w.s_y - w.p_y + cell / w.k_w * w.d_y;
            const auto x = place % w.out_w * w.s_x - w.p_x + cell % w.k_w * w.d_x;
            if (y < 0 || y >= w.h || x < 0 || x >= w.w) continue;
            f(((n * c.in_channels + channel) * w.h + y) * w.w + x, (o * c.group_in() + i) * w.cells() + cell,
              (n * c.out_channels + o) * w.places() + place);
          }
        }
      }
    }
  }
}

template <class T>
void check(const Convolution2D& c) {
  INFO("image " << c.window.h << "x" << c.window.w << ", window " << c.window.k_h << "x" << c.window.k_w << ", pad "
                << c.window.p_y << ", channels " << c.in_channels << " to " << c.out_channels);
  const DType dtype = dtype_of<T>();
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const auto n_x = c.batch * c.in_channels * c.window.pixels(), n_y = c.batch * c.out_channels * c.window.places();
  const Array x = random::uniform({n_x}, -1, 1, dtype), W = random::uniform({c.weights()}, -1, 1, dtype);
  const Array gy = random::uniform({n_y}, -1, 1, dtype), bias = random::uniform({c.out_channels}, -1, 1, dtype);
  const T *px = x.data<T>(), *pW = W.data<T>(), *pgy = gy.data<T>(), *pb = bias.data<T>();

  std::vector<double> y(size(n_y)), gx(size(n_x)), gW(size(c.weights()));
  for (std::int64_t i = 0; i < n_y; ++i) y[size(i)] = double{pb[i / c.window.places() % c.out_channels]};
  for_each_product(c, [&](std::int64_t ix, std::int64_t iW, std::int64_t iy) {
    y[size(iy)] += double{px[ix]} * double{pW[iW]};
    gx[size(ix)] += double{pgy[iy]} * double{pW[iW]};
    gW[size(iW)] += double{px[ix]} * double{pgy[iy]};
  });
  Array out_y({n_y}, dtype), out_gx({n_x}, dtype), out_gW({c.weights()}, dtype);
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-13;
  const auto worst = [](const Array& got, const std::vector<double>& want) {
    double error = 0, scale = 1;
    for (std::size_t i = 0; i < want.size(); ++i) {
      error = std::max(error, std::abs(double{got.data<T>()[i]} - want[i]));
      scale = std::max(scale, std::abs(want[i]));
    }
    return error / scale;
  };
  for_every_isa([&] {
    kernels::convolution_2d(c, px, pW, pb, out_y.data<T>());
    kernels::deconvolution_2d(c, pgy, pW, static_cast<const T*>(nullptr), out_gx.data<T>());
    kernels::convolution_2d_weights(c, px, pgy, out_gW.data<T>());
    CHECK(worst(out_y, y) <= tolerance);
    CHECK(worst(out_gx, gx) <= tolerance);
    CHECK(worst(out_gW, gW) <= tolerance);
  });
}

}  // namespace

TEST_CASE("convolutions agree with their definition", "[kernels]") {
  Window2D uneven = window(13, 10, 3, 4, 1, 1, 2);
  uneven.s_y = 3, uneven.out_h = 5, uneven.p_x = 0, uneven.out_w = 5;  // cover_all: windows that end outside
  for (const auto& w :
       {window(1, 1, 1, 2, 1), window(5, 7, 3, 3, 0), window(8, 8, 3, 3, 1), window(9, 33, 2, 5, 1),
        window(17, 16, 3, 3, 2), window(12, 11, 3, 3, 2, 2), window(6, 6, 3, 3, 3), window(40, 41, 5, 5, 2),
        window(6, 6, 3, 3, 5), window(15, 16, 3, 3, 1, 1, 2), window(16, 15, 1, 1, 0, 1, 2),
        window(19, 19, 3, 3, 2, 2, 2), window(21, 21, 2, 3, 1, 1, 3), window(17, 9, 3, 3, 1, 3, 2), uneven}) {
    for (const auto& [in, out, groups] : {std::tuple{1, 1, 1}, {3, 5, 1}, {17, 9, 1}, {6, 4, 2}, {8, 32, 1}}) {
      const Convolution2D c{.window = w, .batch = 5, .in_channels = in, .out_channels = out, .groups = groups};
      check<float>(c);
      check<double>(c);
    }
  }
}

TEST_CASE("direct convolutions do not depend on the number of threads", "[kernels]") {
  const int before = num_threads();
  for (const std::int64_t batch : {1, 33}) {
    const Convolution2D c{
        .window = window(20, 20, 3, 3, 1), .batch = batch, .in_channels = 16, .out_channels = 24, .groups = 1};
    const Array x = random::uniform({batch * 16 * 400}), W = random::uniform({c.weights()});
    const Array gy = random::uniform({batch * 24 * 400});
    Array y[2], gW[2];
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      Array &out = y[threads / 2], &grad = gW[threads / 2];
      out = Array(gy.shape()), grad = Array(W.shape());
      kernels::convolution_2d(c, x.data<float>(), W.data<float>(), static_cast<const float*>(nullptr),
                              out.data<float>());
      kernels::convolution_2d_weights(c, x.data<float>(), gy.data<float>(), grad.data<float>());
    }
    CHECK(std::memcmp(y[0].bytes(), y[1].bytes(), y[0].nbytes()) == 0);
    CHECK(std::memcmp(gW[0].bytes(), gW[1].bytes(), gW[0].nbytes()) == 0);
  }
  set_num_threads(before);
}
