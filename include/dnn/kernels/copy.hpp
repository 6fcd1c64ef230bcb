/// Moving elements: transposes, slices, concatenation and broadcasting are one strided copy.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "dnn/core/shape.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/copy.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

using Strides = std::array<std::int64_t, max_ndim>;

namespace detail {

/// A copy of nested loops, outermost first.
struct CopyLoops {
  int ndim = 0;
  Strides sizes{}, dst{}, src{};
};

/// Drops axes of size 1 and merges neighbours that both sides walk alike.
inline CopyLoops copy_loops(const Shape& shape, const Strides& dst, const Strides& src) {
  CopyLoops out;
  for (int i = 0; i < shape.ndim(); ++i) {
    const auto a = static_cast<std::size_t>(i);
    if (shape[i] == 1) continue;
    const auto last = static_cast<std::size_t>(out.ndim - 1);
    if (out.ndim > 0 && out.dst[last] == dst[a] * shape[i] && out.src[last] == src[a] * shape[i]) {
      out.sizes[last] *= shape[i];
      out.dst[last] = dst[a];
      out.src[last] = src[a];
    } else {
      const auto next = static_cast<std::size_t>(out.ndim++);
      out.sizes[next] = shape[i];
      out.dst[next] = dst[a];
      out.src[next] = src[a];
    }
  }
  if (out.ndim == 0) out.ndim = 1, out.sizes[0] = 1;
  return out;
}

/// The innermost two loops; strides in bytes. The tiles keep both sides of a transpose in the cache. Items of 4 and 8
/// bytes are known to the compiler as `Item`, others (0) are not.
template <std::size_t Item>
void copy_plane(std::byte* dst, const std::byte* src, std::size_t item, std::int64_t rows, std::int64_t dst_row,
                std::int64_t src_row, std::int64_t columns, std::int64_t dst_column, std::int64_t src_column) {
  if constexpr (Item != 0) item = Item;
  if (dst_column == static_cast<std::int64_t>(item) && src_column == dst_column) {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(dst + r * dst_row, src + r * src_row, static_cast<std::size_t>(columns) * item);
    }
    return;
  }
  constexpr std::int64_t tile = 32;
  for (std::int64_t r0 = 0; r0 < rows; r0 += tile) {
    for (std::int64_t c0 = 0; c0 < columns; c0 += tile) {
      const auto r1 = std::min(rows, r0 + tile), c1 = std::min(columns, c0 + tile);
      for (std::int64_t r = r0; r < r1; ++r) {
        for (std::int64_t c = c0; c < c1; ++c) {
          std::byte* const to = dst + r * dst_row + c * dst_column;
          const std::byte* const from = src + r * src_row + c * src_column;
          if constexpr (Item != 0) std::memcpy(to, from, Item);
          else std::copy_n(from, item, to);
        }
      }
    }
  }
}

using CopyPlane = decltype(&copy_plane<0>);

inline void copy_strided(CopyPlane plane, std::byte* dst, const std::byte* src, std::size_t item,
                         const CopyLoops& loops) {
  const int outer_ndim = std::max(loops.ndim - 2, 0);
  std::int64_t outer = 1;
  for (int i = 0; i < outer_ndim; ++i) outer *= loops.sizes[static_cast<std::size_t>(i)];
  const auto column = static_cast<std::size_t>(loops.ndim - 1);
  const auto row = loops.ndim >= 2 ? column - 1 : column;
  const auto rows = loops.ndim >= 2 ? loops.sizes[row] : 1;
  const auto columns = loops.sizes[column];
  // Planes are cut into strips of rows, so that one large plane too is copied by all threads.
  const auto strip = std::max<std::int64_t>(32, 65536 / std::max<std::int64_t>(columns, 1));
  const auto strips = (rows + strip - 1) / strip;
  const auto work = std::max<std::int64_t>(std::min(rows, strip) * columns, 1);
  parallel_for(outer * strips, std::max<std::int64_t>(1, 65536 / work), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto first = i % strips * strip;
      std::int64_t rest = i / strips, d = first * loops.dst[row], s = first * loops.src[row];
      for (int axis = outer_ndim - 1; axis >= 0; --axis) {
        const auto a = static_cast<std::size_t>(axis);
        d += (rest % loops.sizes[a]) * loops.dst[a];
        s += (rest % loops.sizes[a]) * loops.src[a];
        rest /= loops.sizes[a];
      }
      plane(dst + d, src + s, item, std::min(strip, rows - first), loops.dst[row], loops.src[row], columns,
            loops.dst[column], loops.src[column]);
    }
  });
}

}  // namespace detail

/// dst[index . dst_strides] = src[index . src_strides] for every index of `shape`. Strides are in elements and may be
/// zero (broadcast) or negative (reversed) on the source side; the destination's elements are distinct.
inline void copy_strided(void* dst, const Strides& dst_strides, const void* src, const Strides& src_strides,
                         const Shape& shape, std::size_t item) {
  if (shape.size() == 0) return;
  auto loops = detail::copy_loops(shape, dst_strides, src_strides);
#if DNN_CUDA
  if (on_gpu()) {
    return gpu::copy_strided(dst, src, item, loops.ndim, loops.sizes.data(), loops.dst.data(), loops.src.data());
  }
#endif
  for (auto& stride : loops.dst) stride *= static_cast<std::int64_t>(item);
  for (auto& stride : loops.src) stride *= static_cast<std::int64_t>(item);
  const detail::CopyPlane plane = item == 4   ? &detail::copy_plane<4>
                                  : item == 8 ? &detail::copy_plane<8>
                                              : &detail::copy_plane<0>;
  detail::copy_strided(plane, static_cast<std::byte*>(dst), static_cast<const std::byte*>(src), item, loops);
}

}  // namespace dnn::inline DNN_ABI::kernels
