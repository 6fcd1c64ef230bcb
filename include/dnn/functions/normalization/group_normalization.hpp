/// Normalisation of every example over groups of its channels; layer normalisation is the case of one group.
///
///     y = gamma (x - mean) / sqrt(variance + eps) + beta
///
/// with mean and biased variance over each group of each example, and gamma and beta (C) for every channel.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/cast.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/rsqrt.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/functions/normalization/moments.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

class GroupNormalization final : public FunctionNode {
 public:
  GroupNormalization(std::string_view name, std::int64_t groups, double eps)
      : name_(name), groups_(groups), eps_(eps) {}
  std::string_view name() const override { return name_; }

  void check(std::span<const Array> in) const override {
    const Array &x = in[0], &gamma = in[1], &beta = in[2];
    DNN_EXPECT(name_, is_float(x.dtype()));
    DNN_EXPECT(name_, x.ndim() >= 2);
    DNN_EXPECT(name_, eps_ > 0);
    DNN_EXPECT(name_, groups_ >= 1);
    DNN_EXPECT(name_, x.shape()[1] % groups_ == 0);
    DNN_EXPECT(name_, gamma.shape() == Shape({x.shape()[1]}));
    DNN_EXPECT(name_, beta.shape() == gamma.shape());
    DNN_EXPECT(name_, compute_dtype(gamma.dtype()) == compute_dtype(x.dtype()));
    DNN_EXPECT(name_, compute_dtype(beta.dtype()) == compute_dtype(x.dtype()));
  }

  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0, 1});
    const Array& x = in[0];
    const Views v(x.shape(), groups_);
    const Moments m = moments(v.rows, x);
    mean_ = m.mean.reshape(v.per_group);
    inv_std_ = per_channel(InverseStandardDeviation{eps_}, x.dtype(), {m.variance}).reshape(v.per_group);
    return {fused(Forward{}, v.all,
                  {x.reshape(v.all), mean_, inv_std_, in[1].reshape(v.per_channel), in[2].reshape(v.per_channel)})
                .reshape(x.shape())};
  }

  Variables backward(const Variables& gy) override {
    if (config().enable_backprop) return graph(gy[0]);
    const DType compute = mean_.dtype();
    const Views v(inputs()[0]->shape, groups_);
    const Array x = retained_input_array(0).to(compute).reshape(v.all), g = gy[0].array().to(compute).reshape(v.all);
    const auto shaped = [&](const Array& a, std::size_t i) {
      return a.reshape(inputs()[i]->shape).to(inputs()[i]->dtype);
    };
    Variables gx(3);
    if (wanted(0)) {
      const Array h = fused(ChannelProduct{}, v.all, {g, retained_input_array(1).to(compute).reshape(v.per_channel)});
      const ChannelSums sums = channel_sums(v.rows, h, x, {}, mean_);
      const double average = 1 / v.rows.count();
      const Array offset = per_channel(Times{average}, compute, {sums.sum});
      const Array slope =
          per_channel(Slope{average}, compute, {sums.product, inv_std_.reshape(v.rows.channel_shape())});
      gx[0] = shaped(fused(NormalizeBackward{}, v.all,
                           {h, x, mean_, inv_std_, offset.reshape(v.per_group), slope.reshape(v.per_group)}),
                     0);
    }
    if (wanted(1)) {
      const Array terms = fused(GammaTerms{}, v.all, {g, x, mean_, inv_std_});
      gx[1] = shaped(channel_sums(v.channels, terms, terms, {}, {}).sum.to(compute), 1);
    }
    if (wanted(2)) {
      gx[2] = shaped(channel_sums(v.channels, g, g, {}, {}).sum.to(compute), 2);
    }
    return gx;
  }

  struct Forward {
    template <class V>
    constexpr V operator()(V x, V mean, V inv_std, V gamma, V beta) const {
      return (x - mean) * inv_std * gamma + beta;
    }
  };
  struct GammaTerms {
    template <class V>
    constexpr V operator()(V gy, V x, V mean, V inv_std) const {
      return gy * (x - mean) * inv_std;
    }
  };

 private:
  /// x as (N, groups, channels of a group, inner), and what broadcasts to that.
  struct Views {
    Views(const Shape& x, std::int64_t groups)
        : all{x[0], groups, x[1] / groups, x.slice(2, x.ndim()).size()},
          per_group{x[0], groups, 1, 1},
          per_channel{groups, x[1] / groups, 1},
          rows{1, x[0] * groups, all[2] * all[3]},
          channels{x[0], x[1], all[3]} {}
    Shape all, per_group, per_channel;
    ChannelView rows, channels;
  };
  Variables graph(const Variable& gy) {
    const DType compute = mean_.dtype();
    const Views v(inputs()[0]->shape, groups_);
    const double m = v.rows.count();
    const Variable x = reshape(cast(retained_input(0), compute), v.all), g = reshape(cast(gy, compute), v.all);
    const Variable h = g * reshape(cast(retained_input(1), compute), v.per_channel);
    const Variable d = x - sum_to(x, v.per_group) / m;
    const Variable inv_std = rsqrt(sum_to(d * d, v.per_group) / m + eps_), x_hat = d * inv_std;
    const auto shaped = [&](const Variable& a, std::size_t i) {
      return cast(reshape(a, inputs()[i]->shape), inputs()[i]->dtype);
    };
    Variables gx(3);
    if (wanted(0)) {
      gx[0] = shaped(inv_std * (h - (sum_to(h, v.per_group) + x_hat * sum_to(h * x_hat, v.per_group)) / m), 0);
    }
    if (wanted(1)) gx[1] = shaped(sum_to(g * x_hat, v.per_channel), 1);
    if (wanted(2)) gx[2] = shaped(sum_to(g, v.per_channel), 2);
    return gx;
  }

  std::string_view name_;
  std::int64_t groups_;
  double eps_;
  Array mean_, inv_std_;  // (N, groups, 1, 1)
};

}  // namespace nodes

/// x (N, C, ...), `groups` parts of the channels. Float dtypes; gamma and beta of a 16-bit x may be float32.
/// Throws ArgumentError when groups does not divide C, eps is not positive, or shapes or dtypes do not fit.
inline Variable group_normalization(const Variable& x, std::int64_t groups, const Variable& gamma, const Variable& beta,
                                    double eps = 1e-5) {
  return call(make_ref<nodes::GroupNormalization>("GroupNormalization", groups, eps), x, gamma, beta);
}

}  // namespace dnn::inline DNN_ABI::inline functions
