/// Softmax and its normalizer over the middle axis of (outer, classes, inner), on the GPU: the largest element and the
/// sum of exponentials in one pass over the line, the results in a second that finds it in the cache.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cmath>
#include <cstdint>
#include <limits>

#include "dnn/kernels/gpu/lines.hpp"
#include "dnn/kernels/reducers.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// sum of exp(x - largest) over some elements.
template <class T>
struct ExpSum {
  T largest = -std::numeric_limits<T>::infinity();
  T sum = 0;

  DNN_HD void add(T x) {
    if (x > largest || x != x) {
      sum = sum * std::exp(largest - x) + std::exp(x - x);  // not 1 but NaN for infinity, as exp(x - largest) is
      largest = x;
    } else if (x != -std::numeric_limits<T>::infinity()) {
      sum += std::exp(x - largest);
    }
  }
  /// NaN, as on the CPU, where there is nothing but -inf.
  DNN_HD T log() const {
    return largest > -std::numeric_limits<T>::infinity() || largest != largest ? std::log(sum)
                                                                               : std::numeric_limits<T>::quiet_NaN();
  }

  struct Join {
    DNN_HD ExpSum operator()(const ExpSum& a, const ExpSum& b) const {
      // Numbers, not references, are chosen: those would keep both operands in memory.
      const bool a_larger = a.largest >= b.largest || a.largest != a.largest;
      const T high = a_larger ? a.largest : b.largest, low = a_larger ? b.largest : a.largest;
      const T high_sum = a_larger ? a.sum : b.sum, low_sum = a_larger ? b.sum : a.sum;
      return {high, low_sum != 0 ? high_sum + low_sum * std::exp(low - high) : high_sum};
    }
  };
};

template <class T>
DNN_DEVICE ExpSum<T> exp_sum(const T* x, std::int64_t classes, std::int64_t inner, int lane, int group) {
  ExpSum<T> out;
  for (std::int64_t c = lane; c < classes; c += group) out.add(x[c * inner]);
  return out;
}

template <class T>
DNN_KERNEL void log_sum_exp_lines(const T* x, std::int64_t lines, std::int64_t classes, std::int64_t inner, int group,
                                  T* largest, T* log_sum) {
  DNN_SHARED(ExpSum<T>, shared, [line_warps]);
  for_lines(lines, group, [&](std::int64_t line, int lane, bool active) {
    ExpSum<T> e;
    if (active) e = exp_sum(x + line / inner * classes * inner + line % inner, classes, inner, lane, group);
    e = reduce_group(e, group, shared, typename ExpSum<T>::Join{});
    if (active && lane == 0) {
      largest[line] = e.largest;
      log_sum[line] = e.log();
    }
  });
}

/// As kernels::log_sum_exp.
template <class T>
void log_sum_exp(const T* x, std::int64_t outer, std::int64_t classes, std::int64_t inner, T* largest, T* log_sum) {
  const int group = group_for(classes, inner);
  cu::launch("log_sum_exp", log_sum_exp_lines<T>, {line_blocks(outer * inner, group), line_threads}, x, outer * inner,
             classes, inner, group, largest, log_sum);
}

template <class T>
DNN_KERNEL void softmax_lines(T* y, const T* x, std::int64_t lines, std::int64_t classes, std::int64_t inner, int group,
                              bool log_of_it) {
  DNN_SHARED(ExpSum<T>, shared, [line_warps]);
  for_lines(lines, group, [&](std::int64_t line, int lane, bool active) {
    const std::int64_t at = line / inner * classes * inner + line % inner;
    ExpSum<T> e;
    if (active) e = exp_sum(x + at, classes, inner, lane, group);
    e = reduce_group(e, group, shared, typename ExpSum<T>::Join{});
    if (!active) return;
    const T log_sum = log_of_it ? e.log() : T(0);
    for (std::int64_t c = lane; c < classes; c += group) {
      const T d = x[at + c * inner] - e.largest;
      y[at + c * inner] = log_of_it ? d - log_sum : std::exp(d) / e.sum;
    }
  });
}

/// y = softmax(x), or its logarithm.
template <class T>
void softmax(T* y, const T* x, std::int64_t outer, std::int64_t classes, std::int64_t inner, bool log_of_it) {
  const int group = group_for(classes, inner);
  cu::launch("softmax", softmax_lines<T>, {line_blocks(outer * inner, group), line_threads}, y, x, outer * inner,
             classes, inner, group, log_of_it);
}

template <class T>
DNN_KERNEL void softmax_gradient_lines(T* gx, const T* gy, const T* y, std::int64_t lines, std::int64_t classes,
                                       std::int64_t inner, int group, bool log_of_it) {
  DNN_SHARED(T, shared, [line_warps]);
  for_lines(lines, group, [&](std::int64_t line, int lane, bool active) {
    const std::int64_t at = line / inner * classes * inner + line % inner;
    T total = 0;
    if (active) {
      for (std::int64_t c = lane; c < classes; c += group) {
        const T g = gy[at + c * inner];
        total += log_of_it ? g : g * y[at + c * inner];
      }
    }
    total = reduce_group(total, group, shared, Sum{});
    if (!active) return;
    for (std::int64_t c = lane; c < classes; c += group) {
      const T g = gy[at + c * inner], p = y[at + c * inner];
      gx[at + c * inner] = log_of_it ? g - std::exp(p) * total : p * (g - total);
    }
  });
}

/// The gradient of `softmax` from its result.
template <class T>
void softmax_gradient(T* gx, const T* gy, const T* y, std::int64_t outer, std::int64_t classes, std::int64_t inner,
                      bool log_of_it) {
  const int group = group_for(classes, inner);
  cu::launch("softmax_gradient", softmax_gradient_lines<T>, {line_blocks(outer * inner, group), line_threads}, gx, gy,
             y, outer * inner, classes, inner, group, log_of_it);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
