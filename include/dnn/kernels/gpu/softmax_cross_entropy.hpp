/// The GPU's half of kernels/softmax_cross_entropy.hpp: the scores are read once for the losses and once for the
/// gradient. The mean takes a second launch that adds up the blocks' sums.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cmath>
#include <cstdint>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/gpu/lines.hpp"
#include "dnn/kernels/gpu/scratch.hpp"
#include "dnn/kernels/gpu/softmax.hpp"
#include "dnn/kernels/labelled_scores.hpp"
#include "dnn/kernels/typed.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// The sum of some losses, and how many labels are not ignored.
struct LossSum {
  double sum, count;

  struct Add {
    DNN_HD LossSum operator()(const LossSum& a, const LossSum& b) const { return {a.sum + b.sum, a.count + b.count}; }
  };
};

/// `losses` or `sums`, of each block, is null.
template <class T>
DNN_KERNEL void cross_entropy_lines(LabelledScores<T> s, const T* x, int group, T* largest, T* log_sum, T* losses,
                                    LossSum* sums) {
  DNN_SHARED(ExpSum<T>, shared, [line_warps]);
  DNN_SHARED(LossSum, shared_sums, [line_warps]);
  LossSum own{0, 0};
  for_lines(s.positions(), group, [&](std::int64_t line, int lane, bool active) {
    ExpSum<T> e;
    if (active) e = exp_sum(x + s.begin(line), s.range.classes, s.inner, lane, group);
    e = reduce_group(e, group, shared, typename ExpSum<T>::Join{});
    if (!active || lane != 0) return;
    largest[line] = e.largest;
    log_sum[line] = e.log();
    const T loss = s.loss(line, x, e.largest, log_sum[line]);
    if (losses) losses[line] = loss;
    own.sum += loss;
    own.count += s.range.ignores(s.labels[line]) ? 0 : 1;
  });
  if (!sums) return;
  own = reduce_group(own, line_threads, shared_sums, LossSum::Add{});
  if (threadIdx.x == 0) sums[blockIdx.x] = own;
}

/// One block.
template <class T>
DNN_KERNEL void mean_of_sums(const LossSum* sums, std::int64_t n, MeanLoss<T> mean) {
  DNN_SHARED(LossSum, shared, [line_warps]);
  LossSum own{0, 0};
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) own = LossSum::Add{}(own, sums[i]);
  own = reduce_group(own, line_threads, shared, LossSum::Add{});
  if (threadIdx.x == 0) mean.set(own.sum, own.count);
}

template <class T>
void softmax_cross_entropy(const LabelledScores<T>& s, const T* x, T* largest, T* log_sum, T* losses) {
  const int group = group_for(s.range.classes, s.inner);
  cu::launch("softmax_cross_entropy", cross_entropy_lines<T>, {line_blocks(s.positions(), group), line_threads}, s, x,
             group, largest, log_sum, losses, nullptr);
}

template <class T>
void mean_softmax_cross_entropy(const LabelledScores<T>& s, const T* x, T* largest, T* log_sum,
                                const MeanLoss<T>& mean) {
  const int group = group_for(s.range.classes, s.inner);
  const auto blocks = line_blocks(s.positions(), group);
  const Scratch<LossSum> sums(blocks);
  LossSum* const each = sums.data();
  cu::launch("softmax_cross_entropy", cross_entropy_lines<T>, {blocks, line_threads}, s, x, group, largest, log_sum,
             nullptr, each);
  cu::launch("softmax_cross_entropy", mean_of_sums<T>, {1, line_threads}, each, std::int64_t{blocks}, mean);
}

template <class T>
DNN_KERNEL void cross_entropy_gradient_lines(LabelledScores<T> s, int group, void* gx, const void* x, const void* gy,
                                             DType dtype, bool one_gy, const T* largest, const T* log_sum,
                                             const T* scale) {
  for_lines(s.positions(), group, [&](std::int64_t line, int lane, bool active) {
    if (!active) return;
    const T g = load_as<T>(gy, dtype, one_gy ? 0 : line);
    const T factor = s.weight(line) * (scale ? *scale : T(1)) * g;
    const T top = largest[line], sum = log_sum[line];
    const std::int64_t label = s.labels[line], begin = s.begin(line);
    for (std::int64_t c = lane; c < s.range.classes; c += group) {
      const std::int64_t at = begin + c * s.inner;
      T out = 0;
      if (factor != 0) {
        out = std::exp((load_as<T>(x, dtype, at) - top) - sum) * factor;
        if (c == label) out -= factor;
      }
      store_as<T>(gx, dtype, at, out);
    }
  });
}

template <class T>
void softmax_cross_entropy_gradient(const LabelledScores<T>& s, void* gx, const void* x, const void* gy, DType dtype,
                                    bool one_gy, const T* largest, const T* log_sum, const T* scale) {
  const int group = group_for(s.range.classes, s.inner);
  cu::launch("softmax_cross_entropy_gradient", cross_entropy_gradient_lines<T>,
             {line_blocks(s.positions(), group), line_threads}, s, group, gx, x, gy, dtype, one_gy, largest, log_sum,
             scale);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
