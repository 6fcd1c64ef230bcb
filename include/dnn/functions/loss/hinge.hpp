#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "dnn/functions/array/where.hpp"
#include "dnn/functions/elementwise.hpp"
#include "dnn/functions/labels.hpp"
#include "dnn/functions/loss/reduce.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/comparison.hpp"

namespace dnn::inline DNN_ABI::inline functions {

enum class HingeNorm : std::uint8_t { L1, L2 };

struct HingeOptions {
  HingeNorm norm = HingeNorm::L1;
  Reduce reduce = Reduce::mean;  ///< or `no`
};

namespace nodes {

/// x are scores, s is 1 for the true class and -1 for the others.
struct Hinge {
  static constexpr std::string_view name = "Hinge";
  static constexpr Retain retain = Retain::inputs;
  bool squared;

  template <class V>
  constexpr V forward(V x, V s) const {
    const V margin = 1 - s * x, loss = where(margin < 0, 0, margin);
    return squared ? loss * loss : loss;
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V s, V) const {
    const V margin = 1 - s * x, slope = I == 0 ? -gy * s : -gy * x;
    return where(margin > 0, squared ? slope * margin * 2 : slope, 0);
  }
};

/// 1 at the label of each row, -1 elsewhere; NaN in the row of a label that is no class.
template <class T>
struct HingeSigns {
  T* signs;
  const std::int64_t* labels;
  std::int64_t classes;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t label = labels[i / classes];
    const bool known = label >= 0 && label < classes;
    signs[i] = !known ? std::numeric_limits<T>::quiet_NaN() : label == i % classes ? T(1) : T(-1);
  }
};

}  // namespace nodes

/// One-vs-rest hinge loss max(0, 1 - s x) of scores x (N, C), s = 1 for the class t[n] and -1 for the others; squared
/// with L2. mean divides the sum by N. Throws ArgumentError for a label out of range or shapes that do not fit.
template <class = void>
Variable hinge(const Variable& x, const Variable& t, const HingeOptions& options = {}) {
  const Array labels = nodes::labels_of("hinge", t, x.device());
  DNN_EXPECT("hinge", x.ndim() == 2);
  DNN_EXPECT("hinge", t.shape() == x.shape().without(1));
  nodes::check_labels("hinge", labels, x.shape()[1]);
  if (options.reduce != Reduce::mean && options.reduce != Reduce::no) nodes::unknown_reduction("hinge", "mean, no");
  const UsingDevice here(x.device());
  Array signs(x.shape(), compute_dtype(x.dtype()));
  visit_float(signs.dtype(), "hinge", [&]<class T>(std::type_identity<T>) {
    kernels::for_each_index("hinge", signs.size(), 32768,
                            nodes::HingeSigns<T>{signs.data<T>(), labels.data<std::int64_t>(), x.shape()[1]});
  });
  const Variable losses = elementwise(nodes::Hinge{options.norm == HingeNorm::L2}, x, signs.to(x.dtype()));
  if (options.reduce == Reduce::no) return losses;
  return sum(losses) * (1.0 / static_cast<double>(x.shape()[0]));
}

}  // namespace dnn::inline DNN_ABI::inline functions
