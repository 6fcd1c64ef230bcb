/// Cross entropy of softmax(x) and integer labels, x (outer, classes, inner): the losses or their mean, and the
/// gradient.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/convert.hpp"
#include "dnn/kernels/labelled_scores.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/reduce.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/kernels/softmax.hpp"
#include "dnn/kernels/typed.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/softmax_cross_entropy.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

/// largest and log_sum as `log_sum_exp`; the loss of every position.
template <class T>
void softmax_cross_entropy(const LabelledScores<T>& s, const T* x, T* largest, T* log_sum, T* losses) {
#if DNN_CUDA
  if (on_gpu()) return gpu::softmax_cross_entropy(s, x, largest, log_sum, losses);
#endif
  log_sum_exp(x, s.outer, s.range.classes, s.inner, largest, log_sum);
  parallel_for(s.positions(), 8192, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) losses[i] = s.loss(i, x, largest[i], log_sum[i]);
  });
}
/// The same with the mean of the losses, and the inverse of what their sum was divided by.
template <class T>
void mean_softmax_cross_entropy(const LabelledScores<T>& s, const T* x, T* largest, T* log_sum,
                                const MeanLoss<T>& mean) {
#if DNN_CUDA
  if (on_gpu()) return gpu::mean_softmax_cross_entropy(s, x, largest, log_sum, mean);
#endif
  const auto n = s.positions();
  const Scratch<T> losses(n);
  softmax_cross_entropy(s, x, largest, log_sum, losses.data());
  const auto ignored =
      std::count_if(s.labels, s.labels + n, [&](std::int64_t label) { return s.range.ignores(label); });
  mean.set(static_cast<double>(detail::reduce_row<Sum>(losses.data(), n)), static_cast<double>(n - ignored));
}

namespace detail {

/// gx = softmax(x) factor, for one row of classes and one factor.
template <class T>
void scaled_softmax_row(T* gx, const T* x, std::int64_t classes, T largest, T log_sum, T factor) {
  if (factor == 0) return void(std::fill_n(gx, classes, T(0)));  // whatever x is
  for (std::int64_t c = 0; c < classes; c += Pack<T>::width) {
    const auto p = exp((load_some(x + c, classes - c, T(0)) - Pack<T>(largest)) - Pack<T>(log_sum));
    store_some(gx + c, classes - c, p * Pack<T>(factor));
  }
}
/// The same for neighbouring positions, a pack of them at a time.
template <class T>
void scaled_softmax_columns(T* gx, const T* x, std::int64_t classes, std::int64_t inner, const T* largest,
                            const T* log_sum, const T* factors) {
  for (std::int64_t i = 0; i < inner; i += Pack<T>::width) {
    const auto load = [&](const T* from) { return load_some(from + i, inner - i, T(0)); };
    const auto top = load(largest), sum = load(log_sum), factor = load(factors);
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto p = exp((load(x + c * inner) - top) - sum);
      store_some(gx + c * inner + i, inner - i, where(factor == Pack<T>(0), Pack<T>(0), p * factor));
    }
  }
}

}  // namespace detail

/// gx = (softmax(x) - 1 at the label) weight scale gy, all 0 where the label is ignored. x, gx and gy are of `dtype`,
/// whose compute type T is; gy holds one number or one for each position; a null scale is 1.
template <class T>
void softmax_cross_entropy_gradient(const LabelledScores<T>& s, void* gx, const void* x, const void* gy, DType dtype,
                                    bool one_gy, const T* largest, const T* log_sum, const T* scale) {
#if DNN_CUDA
  if (on_gpu()) {
    return gpu::softmax_cross_entropy_gradient(s, gx, x, gy, dtype, one_gy, largest, log_sum, scale);
  }
#endif
  const auto classes = s.range.classes, inner = s.inner, block = classes * inner;
  const bool narrow = dtype != dtype_of<T>();
  const auto item = static_cast<std::int64_t>(itemsize(dtype));
  parallel_for(s.outer, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(block, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 const Scratch<T> factors(inner), wide(narrow ? block : 0);
                 for (auto o = begin; o < end; ++o) {
                   const auto* from = static_cast<const std::byte*>(x) + o * block * item;
                   auto* to = static_cast<std::byte*>(gx) + o * block * item;
                   const T* in = narrow ? wide.data() : reinterpret_cast<const T*>(from);
                   T* out = narrow ? wide.data() : reinterpret_cast<T*>(to);
                   if (narrow) convert(wide.data(), dtype_of<T>(), from, dtype, block);
                   const auto first = o * inner;
                   for (std::int64_t i = 0; i < inner; ++i) {
                     const T g = load_as<T>(gy, dtype, one_gy ? 0 : first + i);
                     factors.data()[i] = s.weight(first + i) * (scale ? *scale : T(1)) * g;
                   }
                   if (inner == 1) {
                     detail::scaled_softmax_row(out, in, classes, largest[o], log_sum[o], factors.data()[0]);
                   } else {
                     detail::scaled_softmax_columns(out, in, classes, inner, largest + first, log_sum + first,
                                                    factors.data());
                   }
                   for (std::int64_t i = 0; i < inner; ++i) {
                     const auto label = s.labels[first + i];
                     if (s.range.holds(label)) out[label * inner + i] -= factors.data()[i];
                   }
                   if (narrow) convert(to, dtype, wide.data(), dtype_of<T>(), block);
                 }
               });
}

}  // namespace dnn::inline DNN_ABI::kernels
