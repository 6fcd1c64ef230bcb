#pragma once

#include <cstdint>
#include <optional>

#include "dnn/functions/connection/deconvolution_2d.hpp"
#include "dnn/initializers/constant.hpp"
#include "dnn/initializers/normal.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

struct Deconvolution2DOptions {
  Pair stride = 1;
  Pair pad = 0;
  bool nobias = false;
  std::optional<Pair> outsize = std::nullopt;  ///< default: the smallest that fits
  Initializer initialW = {};                   ///< default: LeCunNormal
  Initializer initial_bias = {};               ///< default: zero
  Pair dilate = 1;
  int groups = 1;
};

/// A transposed two-dimensional convolution; `functions::deconvolution_2d` says what it computes.
///
///     links::Deconvolution2D deconv1(32, 16, 4, {.stride = 2, .pad = 1}), deconv2(1, 3);
///     Variable y = deconv2(relu(deconv1(x)));
///
/// Parameters: W (in_channels, out_channels / groups, kernel height, kernel width), b (out_channels) unless `nobias`.
/// Without in_channels W is initialised at the first call. Throws ArgumentError for a size below 1, and where groups do
/// not divide the channels.
class Deconvolution2D : public Link<Deconvolution2D> {
 public:
  dnn::Parameter W;
  std::optional<dnn::Parameter> b;

  Deconvolution2D(std::int64_t out_channels, Pair ksize, const Deconvolution2DOptions& options = {})
      : Deconvolution2D(std::nullopt, out_channels, ksize, options) {}
  /// The overload of numbers alone, which `(3, 8, {3, 5})` means: otherwise `{3, 5}` might be options.
  Deconvolution2D(std::int64_t in_channels, std::int64_t out_channels, Pair ksize,
                  const Deconvolution2DOptions& options = {})
      : Deconvolution2D(std::optional(in_channels), out_channels, ksize, options) {}
  Deconvolution2D(std::optional<std::int64_t> in_channels, std::int64_t out_channels, Pair ksize,
                  const Deconvolution2DOptions& options = {})
      : W(options.initialW ? options.initialW : initializers::LeCunNormal{}),
        out_channels_(out_channels),
        ksize_(ksize),
        options_{.stride = options.stride,
                 .pad = options.pad,
                 .outsize = options.outsize,
                 .dilate = options.dilate,
                 .groups = options.groups} {
    DNN_EXPECT("Deconvolution2D", out_channels > 0);
    DNN_EXPECT("Deconvolution2D", ksize.y > 0);
    DNN_EXPECT("Deconvolution2D", ksize.x > 0);
    DNN_EXPECT("Deconvolution2D", options.groups > 0);
    DNN_EXPECT("Deconvolution2D", out_channels % options.groups == 0);
    if (in_channels) initialize(*in_channels);
    if (!options.nobias) {
      b.emplace(options.initial_bias ? options.initial_bias : initializers::Zero{}, Shape{out_channels});
    }
  }

  /// (N, in_channels, H, W) to (N, out_channels, OH, OW). A template, so that a program compiles it only if it calls
  /// it.
  template <class = void>
  Variable operator()(const Variable& x) {
    if (!W.is_initialized()) {
      DNN_EXPECT("Deconvolution2D", x.ndim() == 4);
      DNN_EXPECT("Deconvolution2D", x.dtype() == config().dtype);
      initialize(x.shape()[1]);
    }
    return deconvolution_2d(x, W, b ? *b : Variable{}, options_);
  }

  void serialize(Serializer& s) {
    s("W", W);
    if (b) s("b", *b);
  }

 private:
  void initialize(std::int64_t in_channels) {
    DNN_EXPECT("Deconvolution2D", in_channels > 0);
    DNN_EXPECT("Deconvolution2D", in_channels % options_.groups == 0);
    W.initialize({in_channels, out_channels_ / options_.groups, ksize_.y, ksize_.x});
  }

  std::int64_t out_channels_;
  Pair ksize_;
  functions::Deconvolution2DOptions options_;
};

}  // namespace dnn::inline DNN_ABI::links
