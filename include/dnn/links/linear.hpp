#pragma once

#include <cstdint>
#include <optional>

#include "dnn/functions/connection/linear.hpp"
#include "dnn/initializers/constant.hpp"
#include "dnn/initializers/normal.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

struct LinearOptions {
  bool nobias = false;
  Initializer initialW = {};      ///< default: LeCunNormal
  Initializer initial_bias = {};  ///< default: zero
};

/// A fully connected layer: y = x W^T + b.
///
///     links::Linear l1(784, 100), l2(10), l3(10, {.nobias = true});
///     Variable y = l2(relu(l1(x)));
///
/// Parameters: W (out_size, in_size), b (out_size) unless `nobias`. Without in_size W is initialised at the first call.
/// Throws ArgumentError for a size below 1.
class Linear : public Link<Linear> {
 public:
  dnn::Parameter W;
  std::optional<dnn::Parameter> b;

  explicit Linear(std::int64_t out_size, const LinearOptions& options = {}) : Linear(std::nullopt, out_size, options) {}
  Linear(std::optional<std::int64_t> in_size, std::int64_t out_size, const LinearOptions& options = {})
      : W(options.initialW ? options.initialW : initializers::LeCunNormal{}), out_size_(out_size) {
    DNN_EXPECT("Linear", out_size > 0);
    if (in_size) {
      DNN_EXPECT("Linear", *in_size > 0);
      W.initialize({out_size, *in_size});
    }
    if (!options.nobias) b.emplace(options.initial_bias ? options.initial_bias : initializers::Zero{}, Shape{out_size});
  }

  /// The axes of x from `n_batch_axes` on are the input, those before it are kept: (N, in...) to (N, out_size).
  Variable operator()(const Variable& x, int n_batch_axes = 1) {
    if (!W.is_initialized()) {
      DNN_EXPECT("Linear", n_batch_axes >= 1);
      DNN_EXPECT("Linear", x.ndim() >= n_batch_axes);
      DNN_EXPECT("Linear", x.dtype() == config().dtype);
      const auto in_size = x.shape().slice(n_batch_axes, x.ndim()).size();
      DNN_EXPECT("Linear", in_size > 0);
      W.initialize({out_size_, in_size});
    }
    return b ? linear(x, W, *b, n_batch_axes) : linear(x, W, {}, n_batch_axes);
  }

  void serialize(Serializer& s) {
    s("W", W);
    if (b) s("b", *b);
  }

 private:
  std::int64_t out_size_;
};

}  // namespace dnn::inline DNN_ABI::links
