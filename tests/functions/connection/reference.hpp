/// Convolution spelled out: seven loops over float64 arrays.
#pragma once

#include "dnn/array/factories.hpp"
#include "dnn/functions/connection/convolution_2d.hpp"

/// y[n, o] = b[o] + W[o, c] x[n, c] summed over the filter; `b` may be undefined.
inline dnn::Array plain_convolution(const dnn::Array& x, const dnn::Array& W, const dnn::Array& b,
                                    const dnn::Convolution2DOptions& o) {
  using namespace dnn;
  const auto out_size = [&](std::int64_t n, std::int64_t k, std::int64_t s, std::int64_t p, std::int64_t d) {
    const auto steps = n + 2 * p - d * (k - 1) - 1;
    return (o.cover_all ? (steps + s - 1) / s : steps / s) + 1;
  };
  const auto per_out = W.shape()[0] / o.groups, per_in = W.shape()[1];
  Array y({x.shape()[0], W.shape()[0], out_size(x.shape()[2], W.shape()[2], o.stride.y, o.pad.y, o.dilate.y),
           out_size(x.shape()[3], W.shape()[3], o.stride.x, o.pad.x, o.dilate.x)},
          float64);
  for (std::int64_t n = 0; n < y.shape()[0]; ++n) {
    for (std::int64_t c = 0; c < y.shape()[1]; ++c) {
      for (std::int64_t i = 0; i < y.shape()[2]; ++i) {
        for (std::int64_t j = 0; j < y.shape()[3]; ++j) {
          double sum = b.defined() ? b.at<double>(c) : 0;
          for (std::int64_t k = 0; k < per_in; ++k) {
            for (std::int64_t u = 0; u < W.shape()[2]; ++u) {
              for (std::int64_t v = 0; v < W.shape()[3]; ++v) {
                const auto py = i * o.stride.y - o.pad.y + u * o.dilate.y,
                           px = j * o.stride.x - o.pad.x + v * o.dilate.x;
                if (py < 0 || py >= x.shape()[2] || px < 0 || px >= x.shape()[3]) continue;
                sum += W.at<double>(c, k, u, v) * x.at<double>(n, c / per_out * per_in + k, py, px);
              }
            }
          }
          y.at<double>(n, c, i, j) = sum;
        }
      }
    }
  }
  return y;
}
