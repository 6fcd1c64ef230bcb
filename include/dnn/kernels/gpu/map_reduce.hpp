/// The GPU's half of kernels/map_reduce.hpp: a block for each output, in a fixed order; several for each where there
/// are few.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>

#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/warp.hpp"
#include "dnn/kernels/gpu/lines.hpp"
#include "dnn/kernels/gpu/scratch.hpp"
#include "dnn/kernels/map_reduce_arguments.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// At most: a user's formula takes no more registers than that leaves.
inline constexpr int map_reduce_threads = 512;

template <class T, class Op>
struct Reduce {
  Op op;
  DNN_HD Number<T> operator()(Number<T> a, Number<T> b) const { return op.reduce(a, b); }
};

/// Piece p of the `length` elements of output i: of the operands, or what `from` holds of an earlier launch. The result
/// goes to `to`, or is finished where that is null.
template <class T, class Op, std::size_t... I>
DNN_KERNEL void DNN_LAUNCH_BOUNDS(map_reduce_threads)
    map_reduce_blocks(Op op, MapReduceArguments a, Number<T>* to, const Number<T>* from, std::int64_t length,
                      std::int64_t pieces, std::int64_t piece) {
  for (std::int64_t at = blockIdx.x; at < a.kept.count * pieces; at += gridDim.x) {
    const std::int64_t i = at / pieces, p = at % pieces;
    const std::int64_t end = (p + 1) * piece < length ? (p + 1) * piece : length;
    const Number<T> identity = Op::identity;
    Number<T> value = identity;
    for (std::int64_t r = p * piece + threadIdx.x; r < end; r += blockDim.x) {
      value = op.reduce(value, from ? from[i * length + r] : kernels::detail::mapped<T, Op, I...>(op, a, i, r));
    }
    value = cu::block_reduce(value, Reduce<T, Op>{op}, identity);
    if (threadIdx.x != 0) continue;
    if (to) to[at] = value;
    else store_as<T>(a.out, a.out_dtype, i, kernels::detail::posted(op, value).v);
  }
}

template <class T, class Op, std::size_t... I>
void map_reduce(const Op& op, const MapReduceArguments& a) {
  const auto threads_for = [](std::int64_t length) {
    return static_cast<int>(std::clamp<std::int64_t>((length + 31) / 32 * 32, 32, map_reduce_threads));
  };
  const auto run = [&](Number<T>* to, const Number<T>* from, std::int64_t length, std::int64_t pieces) {
    const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(a.kept.count * pieces, 1 << 20));
    cu::launch("reduction", map_reduce_blocks<T, Op, I...>, {blocks, static_cast<unsigned>(threads_for(length))}, op, a,
               to, from, length, pieces, (length + pieces - 1) / pieces);
  };
  const auto length = a.reduced.count, pieces = pieces_for(a.kept.count, length, threads_for(length));
  if (pieces == 1) return run(nullptr, nullptr, length, 1);
  const Scratch<Number<T>> parts(a.kept.count * pieces);
  run(parts.data(), nullptr, length, pieces);
  run(nullptr, parts.data(), pieces, 1);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
