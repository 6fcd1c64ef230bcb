// chainer.functions: connections, pooling, normalization, noise, losses, evaluation.
#include "dnn/functions/connection.hpp"
#include "dnn/functions/evaluation.hpp"
#include "dnn/functions/loss.hpp"
#include "dnn/functions/noise.hpp"
#include "dnn/functions/normalization.hpp"
#include "dnn/functions/pooling.hpp"
#include "golden.hpp"

namespace golden {

namespace {

void f(const std::string& name, const std::string& signature, Call call) {
  bind_function("chainer.functions." + name, signature, std::move(call));
}

Pair pair(Args& a, const std::string& name, Pair fallback) {
  const auto values = a.integers(name);
  return values.empty() ? fallback : values.size() == 1 ? Pair(values[0]) : Pair(values[0], values[1]);
}
std::optional<Pair> pair_or_none(Args& a, const std::string& name) {
  const auto values = a.integers(name);
  return values.empty() ? std::nullopt : std::optional<Pair>(pair(a, name, 0));
}
std::optional<Axes> axes_or_none(Args& a, const std::string& name) {
  const Axes axes = a.axes(name);
  return a.has(name) ? std::optional<Axes>(axes) : std::nullopt;
}
/// An argument whose default is a number but which may be None.
std::optional<std::int64_t> label(Args& a, const std::string& name, std::optional<std::int64_t> fallback) {
  if (a.has(name)) return a.integer(name);
  a.tagged(name);
  return a.is_given(name) ? std::nullopt : fallback;
}
Reduce reduce(Args& a, const std::string& fallback) {
  const std::string word = a.word("reduce", fallback);
  if (word == "mean") return Reduce::mean;
  if (word == "sum") return Reduce::sum;
  if (word == "no") return Reduce::no;
  if (word == "sum_along_second_axis") return Reduce::sum_along_second_axis;
  throw Error(concat("reduce '", std::string_view(word), "' is unknown"));
}

void bind_connections() {
  f("convolution_2d", "x, W, b, stride, pad, cover_all, dilate, groups", [](Args& a) {
    return convolution_2d(a.var("x"), a.var("W"), a.var_or_none("b"),
                          {.stride = pair(a, "stride", 1),
                           .pad = pair(a, "pad", 0),
                           .cover_all = a.flag("cover_all", false),
                           .dilate = pair(a, "dilate", 1),
                           .groups = a.axis("groups", 1)});
  });
  f("dilated_convolution_2d", "x, W, b, stride, pad, dilate, cover_all", [](Args& a) {
    return convolution_2d(a.var("x"), a.var("W"), a.var_or_none("b"),
                          {.stride = pair(a, "stride", 1),
                           .pad = pair(a, "pad", 0),
                           .cover_all = a.flag("cover_all", false),
                           .dilate = pair(a, "dilate", 1)});
  });
  f("deconvolution_2d", "x, W, b, stride, pad, outsize, dilate, groups", [](Args& a) {
    return deconvolution_2d(a.var("x"), a.var("W"), a.var_or_none("b"),
                            {.stride = pair(a, "stride", 1),
                             .pad = pair(a, "pad", 0),
                             .outsize = pair_or_none(a, "outsize"),
                             .dilate = pair(a, "dilate", 1),
                             .groups = a.axis("groups", 1)});
  });
  f("embed_id", "x, W, ignore_label",
    [](Args& a) { return embed_id(a.array("x"), a.var("W"), label(a, "ignore_label", std::nullopt)); });
  f("linear", "x, W, b, n_batch_axes",
    [](Args& a) { return linear(a.var("x"), a.var("W"), a.var_or_none("b"), a.axis("n_batch_axes", 1)); });
}

void bind_pooling() {
  f("average_pooling_2d", "x, ksize, stride, pad", [](Args& a) {
    return average_pooling_2d(a.var("x"), pair(a, "ksize", 0),
                              {.stride = pair(a, "stride", 0), .pad = pair(a, "pad", 0)});
  });
  f("max_pooling_2d", "x, ksize, stride, pad, cover_all, return_indices", [](Args& a) -> Results {
    const MaxPooling2DOptions options{
        .stride = pair(a, "stride", 0), .pad = pair(a, "pad", 0), .cover_all = a.flag("cover_all", true)};
    if (!a.flag("return_indices", false)) return max_pooling_2d(a.var("x"), pair(a, "ksize", 0), options);
    const auto [y, indices] = max_pooling_2d_with_indices(a.var("x"), pair(a, "ksize", 0), options);
    return std::vector<Variable>{y, indices.to(int64)};  // dnn has them in half the memory
  });
  const auto unpooling = [](Args& a) {
    return Unpooling2DOptions{.stride = pair(a, "stride", 0),
                              .pad = pair(a, "pad", 0),
                              .outsize = pair_or_none(a, "outsize"),
                              .cover_all = a.flag("cover_all", true)};
  };
  f("unpooling_2d", "x, ksize, stride, pad, outsize, cover_all",
    [unpooling](Args& a) { return unpooling_2d(a.var("x"), pair(a, "ksize", 0), unpooling(a)); });
  f("upsampling_2d", "x, indexes, ksize, stride, pad, outsize, cover_all",
    [unpooling](Args& a) { return upsampling_2d(a.var("x"), a.array("indexes"), pair(a, "ksize", 0), unpooling(a)); });
}

void bind_normalization() {
  f("batch_normalization", "x, gamma, beta, eps, running_mean, running_var, decay, axis", [](Args& a) {
    return batch_normalization(a.var("x"), a.var("gamma"), a.var("beta"),
                               {.eps = a.number("eps", 2e-5),
                                .running_mean = a.array_or_none("running_mean"),
                                .running_var = a.array_or_none("running_var"),
                                .decay = a.number("decay", 0.9),
                                .axis = axes_or_none(a, "axis")});
  });
  f("fixed_batch_normalization", "x, gamma, beta, mean, var, eps, axis", [](Args& a) {
    return fixed_batch_normalization(a.var("x"), a.var("gamma"), a.var("beta"), a.var("mean"), a.var("var"),
                                     {.eps = a.number("eps", 2e-5), .axis = axes_or_none(a, "axis")});
  });
  f("group_normalization", "x, groups, gamma, beta, eps", [](Args& a) {
    return group_normalization(a.var("x"), a.integer("groups"), a.var("gamma"), a.var("beta"), a.number("eps", 1e-5));
  });
  f("layer_normalization", "x, gamma, beta, eps",
    [](Args& a) { return layer_normalization(a.var("x"), a.var("gamma"), a.var("beta"), a.number("eps", 1e-5)); });
  f("normalize", "x, eps, axis", [](Args& a) {
    const Axes axis = a.axes("axis");
    return normalize(a.var("x"), a.number("eps", 1e-5), a.has("axis") ? axis : Axes(1));
  });
}

void bind_noise() {
  f("dropout", "x, ratio, mask, return_mask", [](Args& a) -> Results {
    Array mask;
    const bool returns = a.flag("return_mask", false);
    const Variable y =
        dropout(a.var("x"), a.number("ratio", 0.5), {.mask = a.array_or_none("mask"), .return_mask = &mask});
    if (returns) return std::vector<Variable>{y, mask.defined() ? Variable(mask) : Variable{}};
    return y;
  });
  f("gaussian", "mean, ln_var, eps, return_eps", [](Args& a) -> Results {
    Array eps;
    const bool returns = a.flag("return_eps", false);
    const Variable y = gaussian(a.var("mean"), a.var("ln_var"), {.eps = a.array_or_none("eps"), .return_eps = &eps});
    if (returns) return std::vector<Variable>{y, Variable(eps)};
    return y;
  });
}

void bind_losses() {
  f("absolute_error", "x0, x1", [](Args& a) { return absolute_error(a.var("x0"), a.var("x1")); });
  f("bernoulli_nll", "x, y, reduce", [](Args& a) { return bernoulli_nll(a.var("x"), a.var("y"), reduce(a, "sum")); });
  f("gaussian_kl_divergence", "mean, ln_var, reduce",
    [](Args& a) { return gaussian_kl_divergence(a.var("mean"), a.var("ln_var"), reduce(a, "sum")); });
  f("gaussian_nll", "x, mean, ln_var, reduce",
    [](Args& a) { return gaussian_nll(a.var("x"), a.var("mean"), a.var("ln_var"), reduce(a, "sum")); });
  f("hinge", "x, t, norm, reduce", [](Args& a) {
    return hinge(a.var("x"), a.array("t"),
                 {.norm = a.word("norm", "L1") == "L1" ? HingeNorm::L1 : HingeNorm::L2, .reduce = reduce(a, "mean")});
  });
  f("huber_loss", "x, t, delta, reduce",
    [](Args& a) { return huber_loss(a.var("x"), a.var("t"), a.number("delta"), reduce(a, "sum_along_second_axis")); });
  f("mean_absolute_error", "x0, x1", [](Args& a) { return mean_absolute_error(a.var("x0"), a.var("x1")); });
  f("mean_squared_error", "x0, x1", [](Args& a) { return mean_squared_error(a.var("x0"), a.var("x1")); });
  f("sigmoid_cross_entropy", "x, t, normalize, reduce", [](Args& a) {
    return sigmoid_cross_entropy(a.var("x"), a.array("t"),
                                 {.normalize = a.flag("normalize", true), .reduce = reduce(a, "mean")});
  });
  f("softmax_cross_entropy",
    "x, t, normalize, cache_score, class_weight, ignore_label, reduce, enable_double_backprop, soft_target_loss",
    [](Args& a) {
      a.flag("cache_score", true);  // a trade of memory for time that changes no number
      const std::string soft = a.word("soft_target_loss", "cross-entropy");
      return softmax_cross_entropy(a.var("x"), a.array("t"),
                                   {.normalize = a.flag("normalize", true),
                                    .class_weight = a.array_or_none("class_weight"),
                                    .ignore_label = label(a, "ignore_label", -1),
                                    .reduce = reduce(a, "mean"),
                                    .enable_double_backprop = a.flag("enable_double_backprop", false),
                                    .soft_target_loss = soft == "cross-entropy" ? SoftTargetLoss::cross_entropy
                                                                                : SoftTargetLoss::kl_divergence});
    });
  f("squared_error", "x0, x1", [](Args& a) { return squared_error(a.var("x0"), a.var("x1")); });
}

void bind_evaluation() {
  f("accuracy", "y, t, ignore_label",
    [](Args& a) { return accuracy(a.var("y"), a.array("t"), label(a, "ignore_label", std::nullopt)); });
  f("binary_accuracy", "y, t", [](Args& a) { return binary_accuracy(a.var("y"), a.array("t")); });
  const auto options = [](Args& a) {
    return ClassificationSummaryOptions{.label_num = label(a, "label_num", std::nullopt),
                                        .beta = a.number("beta", 1),
                                        .ignore_label = a.integer("ignore_label", -1)};
  };
  const auto two = [](const auto& pair) { return std::vector<Variable>{pair.first, pair.second}; };
  f("classification_summary", "y, t, label_num, beta, ignore_label", [options](Args& a) {
    const auto s = classification_summary(a.var("y"), a.array("t"), options(a));
    return std::vector<Variable>{s.precision, s.recall, s.fbeta, s.support};
  });
  f("precision", "y, t, label_num, ignore_label",
    [=](Args& a) { return two(precision(a.var("y"), a.array("t"), options(a))); });
  f("recall", "y, t, label_num, ignore_label",
    [=](Args& a) { return two(recall(a.var("y"), a.array("t"), options(a))); });
  f("f1_score", "y, t, label_num, ignore_label",
    [=](Args& a) { return two(f1_score(a.var("y"), a.array("t"), options(a))); });
  f("r2_score", "pred, true, sample_weight, multioutput", [](Args& a) {
    const bool raw = a.word("multioutput", "uniform_average") == "raw_values";
    return r2_score(a.var("pred"), a.var("true"), raw ? MultiOutput::raw_values : MultiOutput::uniform_average);
  });
}

}  // namespace

void bind_network_functions() {
  bind_connections();
  bind_pooling();
  bind_normalization();
  bind_noise();
  bind_losses();
  bind_evaluation();
}

}  // namespace golden
