/// Reductions over the middle axis of (outer, reduced, inner) on the GPU. Deterministic: who adds what to what depends
/// on the sizes alone.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>

#include "dnn/kernels/gpu/lines.hpp"
#include "dnn/kernels/gpu/scratch.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// out[o, p, i] = reduction of piece p of the line at (o, i).
template <class Op, class T>
DNN_KERNEL void reduce_lines(T* out, const T* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner,
                             std::int64_t pieces, std::int64_t piece, int group) {
  DNN_SHARED(T, shared, [line_warps]);
  for_lines(outer * pieces * inner, group, [&](std::int64_t line, int lane, bool active) {
    T value = Op::template identity<T>();
    if (active) {
      const std::int64_t i = line % inner, p = line / inner % pieces, o = line / inner / pieces;
      const std::int64_t end = (p + 1) * piece < reduced ? (p + 1) * piece : reduced;
      const T* from = x + o * reduced * inner + i;
      for (std::int64_t r = p * piece + lane; r < end; r += group) value = Op{}(value, from[r * inner]);
    }
    value = reduce_group(value, group, shared, Op{});
    if (active && lane == 0) out[line] = value;
  });
}

/// As kernels::reduce.
template <class Op, class T>
void reduce(T* out, const T* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner) {
  const auto lines = outer * inner;
  if (lines == 0) return;
  const int group = group_for(reduced, inner);
  const auto pieces = pieces_for(lines, reduced, group);
  const auto run = [&](T* to, std::int64_t count) {
    const auto piece = (reduced + count - 1) / count;
    cu::launch("reduce", reduce_lines<Op, T>, {line_blocks(lines * count, group), line_threads}, to, x, outer, reduced,
               inner, count, piece, group);
  };
  if (pieces == 1) return run(out, 1);
  const Scratch<T> partial(lines * pieces);
  T* const parts = partial.data();
  run(parts, pieces);
  reduce<Op, T>(out, parts, outer, pieces, inner);
}

/// A candidate of arg_reduce; index -1 is none.
template <class T>
struct Candidate {
  T value;
  std::int32_t index;
};

/// The better of two: NaN before numbers, then Better, then the lower index.
template <class Better, class T>
struct Choose {
  DNN_HD Candidate<T> operator()(const Candidate<T>& a, const Candidate<T>& b) const {
    if (a.index < 0) return b;
    if (b.index < 0) return a;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan != b_nan) return a_nan ? a : b;
    if (!a_nan && Better{}(a.value, b.value)) return a;
    if (!a_nan && Better{}(b.value, a.value)) return b;
    return a.index < b.index ? a : b;
  }
};

/// out[o, p, i] = index of the best element of piece p of the line at (o, i); its value goes to `values` if there are.
/// Elements are numbered by `indices`, or by their place in the line.
template <class Better, class T>
DNN_KERNEL void arg_reduce_lines(std::int32_t* out, T* values, const T* x, const std::int32_t* indices,
                                 std::int64_t outer, std::int64_t reduced, std::int64_t inner, std::int64_t pieces,
                                 std::int64_t piece, int group) {
  DNN_SHARED(Candidate<T>, shared, [line_warps]);
  for_lines(outer * pieces * inner, group, [&](std::int64_t line, int lane, bool active) {
    Candidate<T> best{T(0), -1};
    constexpr Choose<Better, T> choose;
    if (active) {
      const std::int64_t i = line % inner, p = line / inner % pieces, o = line / inner / pieces;
      const std::int64_t end = (p + 1) * piece < reduced ? (p + 1) * piece : reduced;
      for (std::int64_t r = p * piece + lane; r < end; r += group) {
        const std::int64_t at = (o * reduced + r) * inner + i;
        best = choose(best, Candidate<T>{x[at], indices ? indices[at] : static_cast<std::int32_t>(r)});
      }
    }
    best = reduce_group(best, group, shared, choose);
    if (!active || lane != 0) return;
    out[line] = best.index;
    if (values) values[line] = best.value;
  });
}

/// As kernels::arg_reduce.
template <class Better, class T>
void arg_reduce(std::int32_t* out, const T* x, std::int64_t outer, std::int64_t reduced, std::int64_t inner) {
  const auto lines = outer * inner;
  const int group = group_for(reduced, inner);
  const auto pieces = pieces_for(lines, reduced, group);
  const Scratch<T> values(pieces == 1 ? 0 : lines * pieces);
  const Scratch<std::int32_t> indices(pieces == 1 ? 0 : lines * pieces);
  const auto run = [&](std::int32_t* to, T* to_values, const T* from, const std::int32_t* numbers, std::int64_t length,
                       std::int64_t count) {
    const int threads = group_for(length, inner);
    cu::launch("arg_reduce", arg_reduce_lines<Better, T>, {line_blocks(lines * count, threads), line_threads}, to,
               to_values, from, numbers, outer, length, inner, count, (length + count - 1) / count, threads);
  };
  if (pieces == 1) return run(out, nullptr, x, nullptr, reduced, 1);
  run(indices.data(), values.data(), x, nullptr, reduced, pieces);
  run(out, nullptr, values.data(), indices.data(), pieces, 1);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
