/// Normalisation of every channel over the batch.
///
///     y = gamma (x - mean) / sqrt(variance + eps) + beta
///
/// x (N, C, ...), or other `axis`: the axes that are averaged over. gamma and beta have the shape of the axes that are
/// left, by default (C). batch_normalization takes mean and (biased) variance of x itself, fixed_batch_normalization
/// given ones.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/array/reduce.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/functions/array/cast.hpp"
#include "dnn/functions/array/reshape.hpp"
#include "dnn/functions/array/transpose.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/rsqrt.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/functions/normalization/moments.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct BatchNormalizationOptions {
  double eps = 2e-5;
  Array running_mean = {};  ///< updated in place, if given: decay * running + (1 - decay) * batch
  Array running_var = {};   ///< likewise, with the unbiased variance
  double decay = 0.9;
  std::optional<Axes> axis = {};  ///< averaged over; default: all but axis 1
};

struct FixedBatchNormalizationOptions {
  double eps = 2e-5;
  std::optional<Axes> axis = {};  ///< not those of gamma; default: all but axis 1
};

namespace nodes {

/// Which axes of x are averaged over (`mask`); those that are left are neighbours.
class NormalizationNode : public FunctionNode {
 public:
  NormalizationNode(unsigned mask, double eps) : mask_(mask), eps_(eps) {}

  void check(std::span<const Array> in) const override {
    const std::string_view op = name();
    const Array &x = in[0], &gamma = in[1];
    DNN_EXPECT(op, is_float(x.dtype()));
    DNN_EXPECT(op, gamma.shape() == reduced_shape(x.shape(), mask_, false));
    for (const auto& a : in.subspan(1)) {
      DNN_EXPECT(op, a.shape() == gamma.shape());
      DNN_EXPECT(op, compute_dtype(a.dtype()) == compute_dtype(x.dtype()));
    }
  }

 protected:
  ChannelView view(const Shape& x) const {
    ChannelView v{1, 1, 1};
    bool seen = false;
    for (int i = 0; i < x.ndim(); ++i) {
      const bool kept = !(mask_ >> i & 1);
      seen = seen || kept;
      (kept ? v.channels : seen ? v.inner : v.outer) *= x[i];
    }
    return v;
  }
  Shape kept_shape(const Shape& x) const { return reduced_shape(x, mask_, true); }

  unsigned mask_;
  double eps_;
};

/// decay old + share new.
struct Running {
  double decay, share;
  template <class V>
  constexpr V operator()(V old, V batch) const {
    return decay * old + share * batch;
  }
};
struct FixedScale {
  double eps;
  template <class V>
  constexpr V operator()(V gamma, V variance) const {
    return gamma / sqrt(variance + eps);
  }
};

class BatchNormalization final : public NormalizationNode {
 public:
  BatchNormalization(unsigned mask, const BatchNormalizationOptions& options)
      : NormalizationNode(mask, options.eps), options_(options) {}
  std::string_view name() const override { return "BatchNormalization"; }

  void check(std::span<const Array> in) const override {
    NormalizationNode::check(in);
    const auto count = view(in[0].shape()).count();
    DNN_EXPECT("BatchNormalization", count >= 1.0);
    for (const Array* running : {&options_.running_mean, &options_.running_var}) {
      if (!running->defined()) continue;
      DNN_EXPECT("BatchNormalization", running->shape() == in[1].shape());
      DNN_EXPECT("BatchNormalization", is_float(running->dtype()));
    }
  }

  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0, 1});
    const Array &x = in[0], &gamma = in[1], &beta = in[2];
    const ChannelView v = view(x.shape());
    const Moments m = moments(v, x);
    update_running(v, m);
    mean_ = m.mean;
    inv_std_ = per_channel(InverseStandardDeviation{eps_}, x.dtype(), {m.variance});
    const Array scale = fused(ChannelProduct{}, v.channel_shape(), {gamma.reshape(v.channel_shape()), inv_std_});
    return {fused(NormalizeForward{}, v.shape(), {x.reshape(v.shape()), mean_, scale, beta.reshape(v.channel_shape())})
                .reshape(x.shape())};
  }

  Variables backward(const Variables& gy) override {
    const Array &x = retained_input_array(0), &gamma = retained_input_array(1);
    if (config().enable_backprop) return graph(gy[0]);
    const ChannelView v = view(x.shape());
    const DType compute = mean_.dtype();
    const Array wide_x = x.to(compute), wide_gy = gy[0].array().to(compute);
    const ChannelSums sums = channel_sums(v, wide_gy, wide_x, {}, mean_);
    const double average = 1 / v.count();
    Variables gx(3);
    if (wanted(0)) {
      const Array scale =
          fused(ChannelProduct{}, v.channel_shape(), {gamma.to(compute).reshape(v.channel_shape()), inv_std_});
      const Array offset = per_channel(Times{average}, compute, {sums.sum});
      const Array slope = per_channel(Slope{average}, compute, {sums.product, inv_std_});
      gx[0] = fused(NormalizeBackward{}, v.shape(),
                    {wide_gy.reshape(v.shape()), wide_x.reshape(v.shape()), mean_, scale, offset, slope})
                  .reshape(x.shape())
                  .to(x.dtype());
    }
    const auto shaped = [&](const Array& a, std::size_t i) { return a.reshape(gamma.shape()).to(inputs()[i]->dtype); };
    if (wanted(1)) gx[1] = shaped(per_channel(ChannelProduct{}, compute, {sums.product, inv_std_}), 1);
    if (wanted(2)) gx[2] = shaped(sums.sum.to(compute), 2);
    return gx;
  }

 private:
  /// The same of differentiable functions.
  Variables graph(const Variable& gy) {
    const DType compute = mean_.dtype();
    const Variable x = cast(retained_input(0), compute), g = cast(gy, compute);
    const Shape kept = kept_shape(x.shape());
    const double m = view(x.shape()).count();
    const Variable gamma = reshape(cast(retained_input(1), compute), kept);
    const Variable d = x - sum_to(x, kept) / m;
    const Variable inv_std = rsqrt(sum_to(d * d, kept) / m + eps_), x_hat = d * inv_std;
    const Variable gbeta = sum_to(g, kept), ggamma = sum_to(g * x_hat, kept);
    const auto shaped = [&](const Variable& a, std::size_t i) {
      return cast(reshape(a, inputs()[i]->shape), inputs()[i]->dtype);
    };
    Variables gx(3);
    if (wanted(0)) gx[0] = shaped(gamma * inv_std * (g - (gbeta + x_hat * ggamma) / m), 0);
    if (wanted(1)) gx[1] = shaped(ggamma, 1);
    if (wanted(2)) gx[2] = shaped(gbeta, 2);
    return gx;
  }

  void update_running(const ChannelView& v, const Moments& batch) {
    const double m = v.count(), unbiased = m / std::max(m - 1, 1.0), decay = options_.decay;
    const auto update = [&](Array& running, const Array& value, double factor) {
      if (!running.defined()) return;
      const Array old = running.to(float64).reshape(v.channel_shape());
      running.assign(per_channel(Running{decay, (1 - decay) * factor}, float64, {old, value}).reshape(running.shape()));
    };
    update(options_.running_mean, batch.mean, 1);
    update(options_.running_var, batch.variance, unbiased);
  }

  BatchNormalizationOptions options_;
  Array mean_, inv_std_;
};

/// Inputs x, gamma, beta, mean, var.
class FixedBatchNormalization final : public NormalizationNode {
 public:
  using NormalizationNode::NormalizationNode;
  std::string_view name() const override { return "FixedBatchNormalization"; }

  Arrays forward(std::span<const Array> in) override {
    retain_inputs({0, 1, 3, 4});
    const Array& x = in[0];
    const ChannelView v = view(x.shape());
    const Array scale = per_channel(FixedScale{eps_}, x.dtype(),
                                    {in[1].to(float64).reshape(v.channel_shape()), in[4].reshape(v.channel_shape())});
    return {fused(NormalizeForward{}, v.shape(),
                  {x.reshape(v.shape()), in[3].reshape(v.channel_shape()), scale, in[2].reshape(v.channel_shape())})
                .reshape(x.shape())};
  }

  Variables backward(const Variables& gy) override {
    const DType compute = compute_dtype(inputs()[0]->dtype);
    const Shape kept = kept_shape(inputs()[0]->shape);
    const auto channel = [&](int i) { return reshape(cast(retained_input(i), compute), kept); };
    const Variable g = cast(gy[0], compute), gamma = channel(1), inv_std = rsqrt(channel(4) + eps_);
    const Variable scale = gamma * inv_std;
    const auto shaped = [&](const Variable& a, std::size_t i) {
      return cast(reshape(a, inputs()[i]->shape), inputs()[i]->dtype);
    };
    Variables gx(5);
    if (wanted(0)) gx[0] = shaped(g * scale, 0);
    if (wanted(1) || wanted(4)) {
      const Variable ggamma = sum_to(g * (cast(retained_input(0), compute) - channel(3)) * inv_std, kept);
      if (wanted(1)) gx[1] = shaped(ggamma, 1);
      if (wanted(4)) gx[4] = shaped(ggamma * scale * inv_std * -0.5, 4);
    }
    if (wanted(2) || wanted(3)) {
      const Variable gbeta = sum_to(g, kept);
      if (wanted(2)) gx[2] = shaped(gbeta, 2);
      if (wanted(3)) gx[3] = shaped(gbeta * scale * -1, 3);
    }
    return gx;
  }
};

/// The mask of the axes to average over. Throws ArgumentError when none is left for gamma.
inline unsigned normalization_mask(std::string_view op, const Variable& x, const std::optional<Axes>& axis) {
  DNN_EXPECT(op, x.ndim() >= 2);
  const unsigned all = (1u << x.ndim()) - 1;
  const unsigned mask = axis ? axis->mask(x.ndim(), op) : all & ~2u;
  DNN_EXPECT(op, mask != all);
  return mask;
}

/// Calls `apply(x, mask)` with x transposed, if need be, so that the axes that are not averaged over are neighbours.
template <class Apply>
Variable with_neighbouring_channels(const Variable& x, unsigned mask, Apply apply) {
  SmallVector<int, max_ndim> order;
  bool contiguous = true;
  int last = -1;
  for (int i = 0; i < x.ndim(); ++i) {
    if (mask >> i & 1) continue;
    contiguous = contiguous && (last < 0 || last == i - 1);
    last = i;
  }
  if (contiguous) return apply(x, mask);
  for (int i = 0; i < x.ndim(); ++i) {
    if (mask >> i & 1) order.push_back(i);
  }
  const auto averaged = order.size();
  for (int i = 0; i < x.ndim(); ++i) {
    if (!(mask >> i & 1)) order.push_back(i);
  }
  SmallVector<int, max_ndim> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) inverse[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  const Variable y = apply(transpose(x, {order.data(), order.size()}), (1u << averaged) - 1);
  return transpose(y, {inverse.data(), inverse.size()});
}

}  // namespace nodes

/// Normalises by the moments of x, and updates the running ones. Float dtypes; gamma, beta and the running arrays of a
/// 16-bit x may be float32. Throws ArgumentError when shapes or dtypes do not fit, x is empty or
/// eps is not positive.
inline Variable batch_normalization(const Variable& x, const Variable& gamma, const Variable& beta,
                                    const BatchNormalizationOptions& options = {}) {
  DNN_EXPECT("batch_normalization", options.eps > 0);
  const unsigned mask = nodes::normalization_mask("batch_normalization", x, options.axis);
  return nodes::with_neighbouring_channels(x, mask, [&](const Variable& ordered, unsigned axes) {
    return call(make_ref<nodes::BatchNormalization>(axes, options), ordered, gamma, beta);
  });
}

/// Normalises by the given moments: what batch normalisation does in test mode. There are gradients for mean and var
/// too.
inline Variable fixed_batch_normalization(const Variable& x, const Variable& gamma, const Variable& beta,
                                          const Variable& mean, const Variable& var,
                                          const FixedBatchNormalizationOptions& options = {}) {
  DNN_EXPECT("fixed_batch_normalization", options.eps > 0);
  const unsigned mask = nodes::normalization_mask("fixed_batch_normalization", x, options.axis);
  return nodes::with_neighbouring_channels(x, mask, [&](const Variable& ordered, unsigned axes) {
    return call(make_ref<nodes::FixedBatchNormalization>(axes, options.eps), ordered, gamma, beta, mean, var);
  });
}

}  // namespace dnn::inline DNN_ABI::inline functions
