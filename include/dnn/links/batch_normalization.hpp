#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dnn/functions/normalization/batch_normalization.hpp"
#include "dnn/initializers/constant.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

struct BatchNormalizationOptions {
  double decay = 0.9;  ///< of the running averages
  double eps = 2e-5;
  bool use_gamma = true;
  bool use_beta = true;
  Initializer initial_gamma = {};     ///< default: 1
  Initializer initial_beta = {};      ///< default: 0
  std::optional<Axes> axis = {};      ///< averaged over; default: the first, and those after the axes of `size`
  Initializer initial_avg_mean = {};  ///< default: 0
  Initializer initial_avg_var = {};   ///< default: 1
};

/// Batch normalization: normalises by the moments of the batch in training, by their running averages otherwise
/// (`config().train`); `functions::batch_normalization` says how.
///
///     links::BatchNormalization bn(32);                                  // x (N, 32) or (N, 32, H, W)
///     links::BatchNormalization lazy({.axis = Axes{0, 2, 3}});           // size found at the first call
///
/// Parameters: gamma, beta. Saved besides: avg_mean, avg_var, N (the batches of fine-tuning). Throws ArgumentError when
/// neither size nor axis is given.
class BatchNormalization : public Link<BatchNormalization> {
 public:
  std::optional<dnn::Parameter> gamma, beta;
  Array avg_mean, avg_var;
  std::int64_t N = 0;

  explicit BatchNormalization(std::int64_t size, const BatchNormalizationOptions& options = {})
      : BatchNormalization(Shape{size}, options) {}
  explicit BatchNormalization(const Shape& size, const BatchNormalizationOptions& options = {})
      : BatchNormalization(options, true) {
    initialize(size);
  }
  explicit BatchNormalization(const BatchNormalizationOptions& options) : BatchNormalization(options, false) {}

  /// With `finetune`, in training, the averages become those of all batches since `start_finetuning`.
  Variable operator()(const Variable& x, bool finetune = false) {
    if (!avg_mean.defined()) initialize(kept_shape(x.shape()));
    const Axes axis = options_.axis ? *options_.axis : default_axes(x.ndim());
    const Variable g = gamma ? Variable(*gamma) : Variable(ones_like(avg_mean));
    const Variable b = beta ? Variable(*beta) : Variable(zeros_like(avg_mean));
    if (!config().train) {
      return fixed_batch_normalization(x, g, b, avg_mean, avg_var, {.eps = options_.eps, .axis = axis});
    }
    double decay = options_.decay;
    if (finetune) decay = 1 - 1 / static_cast<double>(++N);
    return batch_normalization(
        x, g, b, {.eps = options_.eps, .running_mean = avg_mean, .running_var = avg_var, .decay = decay, .axis = axis});
  }

  void start_finetuning() noexcept { N = 0; }

  void serialize(Serializer& s) {
    if (gamma) s("gamma", *gamma);
    if (beta) s("beta", *beta);
    s("avg_mean", avg_mean);
    s("avg_var", avg_var);
    s("N", N);
  }

 private:
  BatchNormalization(const BatchNormalizationOptions& options, bool has_size) : options_(options) {
    if (!has_size && !options.axis) throw ArgumentError("[BatchNormalization] size or axis is required");
    if (options.use_gamma) gamma.emplace(options.initial_gamma ? options.initial_gamma : initializers::One{});
    if (options.use_beta) beta.emplace(options.initial_beta ? options.initial_beta : initializers::Zero{});
  }

  void initialize(const Shape& size) {
    avg_mean = Array(size, config().dtype);
    avg_var = Array(size, config().dtype);
    (options_.initial_avg_mean ? options_.initial_avg_mean : initializers::Zero{})(avg_mean);
    (options_.initial_avg_var ? options_.initial_avg_var : initializers::One{})(avg_var);
    if (gamma) gamma->initialize(size);
    if (beta) beta->initialize(size);
  }

  /// The sizes of the axes that are not averaged over.
  Shape kept_shape(const Shape& shape) const {
    const unsigned averaged = options_.axis->mask(shape.ndim(), "BatchNormalization");
    std::vector<std::int64_t> kept;
    for (int i = 0; i < shape.ndim(); ++i) {
      if (((averaged >> i) & 1) == 0) kept.push_back(shape[i]);
    }
    return Shape(std::span<const std::int64_t>(kept));
  }
  Axes default_axes(int ndim) const {
    std::vector<int> axes{0};
    for (int i = avg_mean.ndim() + 1; i < ndim; ++i) axes.push_back(i);
    return Axes(std::move(axes));
  }

  BatchNormalizationOptions options_;
};

}  // namespace dnn::inline DNN_ABI::links
