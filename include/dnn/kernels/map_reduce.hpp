/// Reductions of a formula of several operands: map, reduce, post in one pass, with a struct of the user's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "dnn/core/dtype.hpp"
#include "dnn/core/shape.hpp"
#include "dnn/kernels/map_reduce_arguments.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/map_reduce.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// Where the masked axes of `shape` are reduced, and where the operands' elements are.
inline MapReduceArguments map_reduce_arguments(void* out, DType out_dtype, const Shape& shape, unsigned mask,
                                               std::span<const Operand> operands) {
  MapReduceArguments a;
  a.out = out;
  a.out_dtype = out_dtype;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    a.in[k] = operands[k].data;
    a.dtypes[k] = operands[k].dtype;
  }
  for (int axis = 0; axis < shape.ndim(); ++axis) {
    auto& walk = mask >> axis & 1 ? a.reduced : a.kept;
    walk.count *= shape[axis];
    if (shape[axis] == 1) continue;
    std::int64_t steps[max_operands] = {};
    bool merges = walk.ndim > 0;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Shape& own = *operands[k].shape;
      const int own_axis = axis - shape.ndim() + own.ndim();
      if (own_axis >= 0 && own[own_axis] != 1) steps[k] = strides_of(own)[static_cast<std::size_t>(own_axis)];
      merges = merges && walk.strides[k][walk.ndim - 1] == steps[k] * shape[axis];
    }
    const int place = merges ? walk.ndim - 1 : walk.ndim++;
    walk.sizes[place] = (merges ? walk.sizes[place] : 1) * shape[axis];
    for (std::size_t k = 0; k < operands.size(); ++k) walk.strides[k][place] = steps[k];
  }
  return a;
}

/// Elements [begin, end) of the line of output i, by halves: the rounding error grows with the logarithm.
template <class T, class Op, std::size_t... I>
Number<T> map_reduce_range(const Op& op, const MapReduceArguments& a, std::int64_t i, std::int64_t begin,
                           std::int64_t end) {
  if (end - begin > 512) {
    const auto middle = begin + (end - begin) / 2;
    return op.reduce(map_reduce_range<T, Op, I...>(op, a, i, begin, middle),
                     map_reduce_range<T, Op, I...>(op, a, i, middle, end));
  }
  Number<T> value = Op::identity;
  for (auto r = begin; r < end; ++r) value = op.reduce(value, mapped<T, Op, I...>(op, a, i, r));
  return value;
}

}  // namespace detail

/// out[i] = post(reduce over r of map(operands[i, r]...)), in T, over the masked axes of the operands' common shape.
template <class T, class Op, std::size_t... I>
void map_reduce(const Op& op, void* out, DType out_dtype, const Shape& shape, unsigned mask,
                std::span<const Operand> operands) {
  const auto a = detail::map_reduce_arguments(out, out_dtype, shape, mask, operands);
#if DNN_CUDA
  if (on_gpu()) return gpu::map_reduce<T, Op, I...>(op, a);
#endif
  const auto grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(a.reduced.count, 1));
  parallel_for(a.kept.count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto value = detail::map_reduce_range<T, Op, I...>(op, a, i, 0, a.reduced.count);
      store_as<T>(a.out, a.out_dtype, i, detail::posted(op, value).v);
    }
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
