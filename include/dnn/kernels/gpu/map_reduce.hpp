/// The GPU's half of kernels/map_reduce.hpp: a block for each output, in a fixed order.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>

#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/warp.hpp"
#include "dnn/kernels/map_reduce_arguments.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

template <class T, class Op>
struct Reduce {
  Op op;
  DNN_HD Number<T> operator()(Number<T> a, Number<T> b) const { return op.reduce(a, b); }
};

template <class T, class Op, std::size_t... I>
DNN_KERNEL void map_reduce_blocks(Op op, MapReduceArguments a) {
  for (std::int64_t i = blockIdx.x; i < a.kept.count; i += gridDim.x) {
    const Number<T> identity = Op::identity;
    Number<T> value = identity;
    for (std::int64_t r = threadIdx.x; r < a.reduced.count; r += blockDim.x) {
      value = op.reduce(value, kernels::detail::mapped<T, Op, I...>(op, a, i, r));
    }
    value = cu::block_reduce(value, Reduce<T, Op>{op}, identity);
    if (threadIdx.x == 0) store_as<T>(a.out, a.out_dtype, i, kernels::detail::posted(op, value).v);
  }
}

template <class T, class Op, std::size_t... I>
void map_reduce(const Op& op, const MapReduceArguments& a) {
  const auto threads = std::clamp<std::int64_t>((a.reduced.count + 31) / 32 * 32, 32, 512);
  const auto blocks = std::min<std::int64_t>(a.kept.count, 1 << 20);
  cu::launch("reduction", map_reduce_blocks<T, Op, I...>,
             {static_cast<unsigned>(blocks), static_cast<unsigned>(threads)}, op, a);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
