/// Moving elements on the GPU: strided copies, with tiles in shared memory where an axis of neighbours changes, and
/// filling.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "dnn/cuda/launch.hpp"
#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/kernels/gpu/index.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

inline constexpr int copy_axes = 8;

/// A copy of nested loops, outermost first; strides in elements.
struct StridedCopy {
  Index32 n = 0;
  int ndim = 0;
  Divisor sizes[copy_axes] = {};
  std::int64_t dst[copy_axes] = {}, src[copy_axes] = {};
};

template <class Word>
DNN_KERNEL void copy_words(Word* dst, const Word* src, StridedCopy c) {
  for (Index32 i = blockIdx.x * blockDim.x + threadIdx.x; i < c.n; i += gridDim.x * blockDim.x) {
    Index32 rest = i;
    std::int64_t to = 0, from = 0;
    for (int axis = c.ndim - 1; axis > 0; --axis) {
      const auto [quotient, remainder] = c.sizes[axis].divide(rest);
      to += remainder * c.dst[axis];
      from += remainder * c.src[axis];
      rest = quotient;
    }
    dst[to + rest * c.dst[0]] = src[from + rest * c.src[0]];
  }
}

inline constexpr int copy_tile = 32;

/// The last two axes are (row, column): neighbours lie along rows in the source and along columns in the destination.
/// Tiles of both are read and written along neighbours.
template <class Word>
DNN_KERNEL void transpose_words(Word* dst, const Word* src, StridedCopy c, Index32 tiles) {
  DNN_SHARED(Word, tile, [copy_tile][copy_tile + 1]);
  const int row_axis = c.ndim - 2, column_axis = c.ndim - 1;
  const Index32 rows = c.sizes[row_axis].value, columns = c.sizes[column_axis].value;
  const Index32 row_tiles = (rows + copy_tile - 1) / copy_tile, column_tiles = (columns + copy_tile - 1) / copy_tile;
  for (Index32 t = blockIdx.x; t < tiles; t += gridDim.x) {
    const Index32 r0 = t % row_tiles * copy_tile, c0 = t / row_tiles % column_tiles * copy_tile;
    Index32 rest = t / row_tiles / column_tiles;
    std::int64_t to = 0, from = 0;
    for (int axis = row_axis - 1; axis >= 0; --axis) {
      const auto [quotient, remainder] = c.sizes[axis].divide(rest);
      to += remainder * c.dst[axis];
      from += remainder * c.src[axis];
      rest = quotient;
    }
    for (Index32 k = threadIdx.y; k < copy_tile; k += blockDim.y) {
      const Index32 row = r0 + threadIdx.x, column = c0 + k;
      if (row < rows && column < columns)
        tile[k][threadIdx.x] = src[from + row * c.src[row_axis] + column * c.src[column_axis]];
    }
    __syncthreads();
    for (Index32 k = threadIdx.y; k < copy_tile; k += blockDim.y) {
      const Index32 row = r0 + k, column = c0 + threadIdx.x;
      if (row < rows && column < columns)
        dst[to + row * c.dst[row_axis] + column * c.dst[column_axis]] = tile[threadIdx.x][k];
    }
    __syncthreads();
  }
}

template <class Word>
void copy_loops(Word* dst, const Word* src, int ndim, const std::int64_t* sizes, const std::int64_t* dst_strides,
                const std::int64_t* src_strides) {
  std::int64_t n = 1;
  for (int i = 0; i < ndim; ++i) n *= sizes[i];
  if (n > max_elements) {
    // Along the outermost axis, in parts that 32-bit indices can count.
    const auto inner = n / sizes[0], part = std::max<std::int64_t>(max_elements / inner, 1);
    for (std::int64_t begin = 0; begin < sizes[0]; begin += part) {
      Word* to = dst + begin * dst_strides[0];
      const Word* from = src + begin * src_strides[0];
      if (inner > max_elements) {
        copy_loops(to, from, ndim - 1, sizes + 1, dst_strides + 1, src_strides + 1);
        continue;
      }
      std::int64_t piece[copy_axes];
      std::copy_n(sizes, ndim, piece);
      piece[0] = std::min(part, sizes[0] - begin);
      copy_loops(to, from, ndim, piece, dst_strides, src_strides);
    }
    return;
  }
  StridedCopy c;
  c.n = static_cast<Index32>(n);
  c.ndim = ndim;
  for (int i = 0; i < ndim; ++i) {
    c.sizes[i] = Divisor(sizes[i]);
    c.dst[i] = dst_strides[i];
    c.src[i] = src_strides[i];
  }
  const int last = ndim - 1;
  if (c.dst[last] == 1 && c.src[last] != 1 && c.src[last] != 0) {
    // The axis of neighbours in the source, if there is one, next to that of the destination.
    int rows = -1;
    for (int i = 0; i < last; ++i) rows = c.src[i] == 1 ? i : rows;
    if (rows >= 0 && sizes[rows] >= 8 && sizes[last] >= 8) {
      for (int i = rows; i + 1 < last; ++i) {
        std::swap(c.sizes[i], c.sizes[i + 1]);
        std::swap(c.dst[i], c.dst[i + 1]);
        std::swap(c.src[i], c.src[i + 1]);
      }
      const auto tiles_of = [](std::int64_t size) { return (size + copy_tile - 1) / copy_tile; };
      const auto tiles = n / (sizes[rows] * sizes[last]) * tiles_of(sizes[rows]) * tiles_of(sizes[last]);
      return cu::launch("transpose", transpose_words<Word>, {blocks_for(tiles, 1), dim3(copy_tile, 8)}, dst, src, c,
                        static_cast<Index32>(tiles));
    }
  }
  cu::launch("copy", copy_words<Word>, {blocks_for(n, 256), 256}, dst, src, c);
}

/// dst[index . dst_strides] = src[index . src_strides] for every index within `sizes`, for elements of `item` bytes.
inline void copy_strided(void* dst, const void* src, std::size_t item, int ndim, const std::int64_t* sizes,
                         const std::int64_t* dst_strides, const std::int64_t* src_strides) {
  const auto copy = [&]<class Word>(Word* to) {
    copy_loops(to, static_cast<const Word*>(src), ndim, sizes, dst_strides, src_strides);
  };
  switch (item) {
    case 1: return copy(static_cast<std::uint8_t*>(dst));
    case 2: return copy(static_cast<std::uint16_t*>(dst));
    case 4: return copy(static_cast<std::uint32_t*>(dst));
    default: return copy(static_cast<std::uint64_t*>(dst));
  }
}

template <class Word>
struct FillWords {
  Word* dst;
  Word value;
  DNN_HD void operator()(std::int64_t i) const { dst[i] = value; }
};

/// Sets n elements of `item` bytes to the one at `value`, which is on the host.
inline void fill(void* dst, const void* value, std::size_t item, std::int64_t n) {
  const auto run = [&]<class Word>(Word* to) {
    Word word;
    std::memcpy(&word, value, sizeof word);
    for_each_index("fill", n, FillWords<Word>{to, word});
  };
  switch (item) {
    case 1: return run(static_cast<std::uint8_t*>(dst));
    case 2: return run(static_cast<std::uint16_t*>(dst));
    case 4: return run(static_cast<std::uint32_t*>(dst));
    default: return run(static_cast<std::uint64_t*>(dst));
  }
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
