/// Dropout (Srivastava et al. 2014), with the scale applied while training.
///
///     y = x * mask / (1 - ratio),  mask = 1 with probability 1 - ratio, otherwise 0      while training
///     y = x                                                                              under using_train(false)
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/core/random.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/kernels/mask.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct DropoutOptions {
  Array mask = {};               ///< use this: of x's shape and dtype, the scale included
  Array* return_mask = nullptr;  ///< store here what x was multiplied by; undefined when nothing was dropped
};

namespace nodes {

/// Its own gradient, with the mask that the first call drew. One byte per element is kept, not a float.
class Dropout final : public FunctionNode {
 public:
  explicit Dropout(double ratio) : ratio_(ratio) {}
  Dropout(double ratio, const Array& mask) : ratio_(ratio), mask_(mask) {}

  std::string_view name() const override { return "Dropout"; }
  void check(std::span<const Array> x) const override {
    if (!is_float(x[0].dtype())) throw DTypeError("[dropout] takes a float dtype, not ", x[0].dtype());
  }
  Arrays forward(std::span<const Array> x) override {
    if (!mask_.defined()) draw(x[0]);
    Array y(x[0].shape(), x[0].dtype(), x[0].device());
    visit_float(y.dtype(), "dropout", [&]<class T>(std::type_identity<T>) {
      kernels::apply_mask(y.data<T>(), x[0].data<T>(), keep(), y.size(), static_cast<T>(1 / (1 - ratio_)));
    });
    return {y};
  }
  Variables backward(const Variables& gy) override { return {call(make_ref<Dropout>(ratio_, mask_), gy[0])}; }

  /// What x was multiplied by, as numbers.
  Array mask(DType dtype) const { return (Variable(mask_.to(dtype)) * (1 / (1 - ratio_))).array(); }

 private:
  void draw(const Array& x) {
    mask_ = Array(x.shape(), boolean, x.device());
    const auto stream = default_generator().draw(static_cast<std::uint64_t>((x.size() + 3) / 4));
    // An element is dropped when its 32-bit word is below the threshold.
    kernels::draw_mask(keep(), x.size(), stream, static_cast<std::uint64_t>(std::ldexp(ratio_, 32)));
  }
  std::uint8_t* keep() { return reinterpret_cast<std::uint8_t*>(mask_.bytes()); }

  double ratio_;
  Array mask_;
};

}  // namespace nodes

/// x with each element dropped with probability `ratio` and the others multiplied by 1 / (1 - ratio); x itself outside
/// training. Float dtypes. The mask comes from `default_generator`, whatever the number of threads.
/// Throws ArgumentError unless 0 <= ratio < 1, or when a given mask does not fit.
inline Variable dropout(const Variable& x, double ratio = 0.5, const DropoutOptions& options = {}) {
  DNN_EXPECT("dropout", ratio >= 0.0);
  DNN_EXPECT("dropout", ratio < 1.0);
  if (options.return_mask) *options.return_mask = Array{};
  if (!config().train) return x;
  if (options.mask.defined()) {
    DNN_EXPECT("dropout", options.mask.shape() == x.shape());
    DNN_EXPECT("dropout", options.mask.dtype() == x.dtype());
    if (options.return_mask) *options.return_mask = options.mask;
    return x * options.mask;
  }
  const auto node = make_ref<nodes::Dropout>(ratio);
  const Variable y = call(node, x);
  if (options.return_mask) *options.return_mask = node->mask(x.dtype());
  return y;
}

}  // namespace dnn::inline DNN_ABI::inline functions
