#pragma once

#include <cstdint>
#include <optional>

#include "dnn/functions/normalization/layer_normalization.hpp"
#include "dnn/initializers/constant.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

struct LayerNormalizationOptions {
  double eps = 1e-6;
  Initializer initial_gamma = {};  ///< default: 1
  Initializer initial_beta = {};   ///< default: 0
};

/// Every row of x (N, size) normalised, scaled and shifted; `functions::layer_normalization` says how.
///
///     links::LayerNormalization norm(100), lazy;
///     Variable y = norm(x);
///
/// Parameters: gamma (size), beta (size). Without size they are initialised at the first call. Throws ArgumentError for
/// a size below 1.
class LayerNormalization : public Link<LayerNormalization> {
 public:
  dnn::Parameter gamma, beta;

  explicit LayerNormalization(const LayerNormalizationOptions& options = {})
      : LayerNormalization(std::nullopt, options) {}
  explicit LayerNormalization(std::optional<std::int64_t> size, const LayerNormalizationOptions& options = {})
      : gamma(options.initial_gamma ? options.initial_gamma : initializers::One{}),
        beta(options.initial_beta ? options.initial_beta : initializers::Zero{}),
        eps_(options.eps) {
    if (size) initialize(*size);
  }

  /// A template, so that a program compiles it only if it calls it.
  template <class = void>
  Variable operator()(const Variable& x) {
    if (!gamma.is_initialized()) {
      DNN_EXPECT("LayerNormalization", x.ndim() == 2);
      initialize(x.shape()[1]);
    }
    return layer_normalization(x, gamma, beta, eps_);
  }

  void serialize(Serializer& s) {
    s("gamma", gamma);
    s("beta", beta);
  }

 private:
  void initialize(std::int64_t size) {
    DNN_EXPECT("LayerNormalization", size > 0);
    gamma.initialize({size});
    beta.initialize({size});
  }

  double eps_;
};

}  // namespace dnn::inline DNN_ABI::links
