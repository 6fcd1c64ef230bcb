/// Matrix products of row-major matrices.
///
/// The blocked product follows Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (TOMS 2008):
/// panels of B that stay in the last-level cache, blocks of A that stay in L2, and a register tile of C.
/// Written here rather than taken from Eigen because instantiating Eigen's product for two types and four storage
/// orders costs a user 4 s of compile time, and because small and thin products, which training is full of, want no
/// packing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/batch_axes.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/kernels/tiles.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/gemm.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// Depth of a panel, rows of a block of A (fits L2 with its panel of B in L1), columns of a block of B.
inline constexpr std::int64_t block_depth = 256, block_rows = 192, block_columns = 2048;

/// C (m x n) += A (m x k) B (k x n), on one thread.
template <class T>
void gemm_blocked(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c,
                  std::int64_t ldc) {
  const auto& tile = tiles<T>();
  const auto mr = tile.rows, nr = 2 * tile.width;
  const auto round_up = [](std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; };
  const Scratch<T> a_scratch(round_up(std::min(m, block_rows), mr) * std::min(k, block_depth));
  const Scratch<T> b_scratch(round_up(std::min(n, block_columns), nr) * std::min(k, block_depth));
  T *const a_panels = a_scratch.data(), *const b_panels = b_scratch.data();
  for (std::int64_t j0 = 0; j0 < n; j0 += block_columns) {
    const auto columns = std::min(block_columns, n - j0);
    for (std::int64_t p0 = 0; p0 < k; p0 += block_depth) {
      const auto depth = std::min(block_depth, k - p0);
      tile.pack_columns(b_panels, b.block(p0, j0), columns, depth);
      for (std::int64_t i0 = 0; i0 < m; i0 += block_rows) {
        const auto rows = std::min(block_rows, m - i0);
        tile.pack_rows(a_panels, a.block(i0, p0), rows, depth);
        for (std::int64_t j = 0; j < columns; j += nr) {
          for (std::int64_t i = 0; i < rows; i += mr) {
            const T* a_panel = a_panels + i * depth;
            const T* b_panel = b_panels + j * depth;
            T* out = c + (i0 + i) * ldc + j0 + j;
            const auto height = std::min(mr, rows - i), breadth = std::min(nr, columns - j);
            if (height == mr && breadth == nr) {
              tile.multiply(2, depth, a_panel, b_panel, out, ldc);
            } else {
              alignas(64) T edge[most_tile_bytes / sizeof(T)] = {};
              tile.multiply(breadth > nr / 2 ? 2 : 1, depth, a_panel, b_panel, edge, nr);
              for (std::int64_t r = 0; r < height; ++r) {
                for (std::int64_t s = 0; s < breadth; ++s) out[r * ldc + s] += edge[r * nr + s];
              }
            }
          }
        }
      }
    }
  }
}

/// C += A B without packing, for products too small or too thin to pay for it. B's rows or columns are contiguous.
template <class T>
void gemm_direct(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c,
                 std::int64_t ldc) {
  const auto& tile = tiles<T>();
  if (b.column == 1) return tile.multiply_by_rows(m, n, k, a, b, c, ldc);
  // Columns of B are contiguous: dot products with rows of A, gathered when they are not.
  if (a.column != 1) {
    const Scratch<T> rows(m * k);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t p = 0; p < k; ++p) rows.data()[i * k + p] = a.data[i * a.row + p * a.column];
    }
    return gemm_direct<T>(m, n, k, {rows.data(), k, 1}, b, c, ldc);
  }
  if (k >= 4 * tile.width) return tile.multiply_by_dots(m, n, k, a, b, c, ldc);
  constexpr std::int64_t width = Pack<T>::width;
  for (std::int64_t i = 0; i < m; ++i) {
    const T* row = a.data + i * a.row;
    for (std::int64_t j = 0; j < n; ++j) {
      const T* column = b.data + j * b.column;
      std::int64_t p = 0;
      T sum = 0;
      if (k >= width) {
        Pack<T> sums(0);
        for (; p + width <= k; p += width) sums = sums + Pack<T>::load(row + p) * Pack<T>::load(column + p);
        for (int lane = 0; lane < width; ++lane) sum += static_cast<T>(sums.v[lane]);
      }
      for (; p < k; ++p) sum += row[p] * column[p];
      c[i * ldc + j] += sum;
    }
  }
}

template <class T>
void gemm_on_host(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                  std::int64_t lda, const T* b, std::int64_t ldb, T* c, std::int64_t ldc, bool accumulate,
                  const T* bias) {
  if (m == 0 || n == 0) return;
  const auto& tile = tiles<T>();
  const StridedMatrix<T> ma{a, trans_a ? 1 : lda, trans_a ? lda : 1};
  const StridedMatrix<T> mb{b, trans_b ? 1 : ldb, trans_b ? ldb : 1};
  const bool dots = ma.column == 1 && mb.row == 1 && k >= 4 * tile.width && (m <= 16 || n <= 16);
  const bool direct = dots || m <= 4 || k <= 2 || (m * n <= 1024 && k <= 64);
  const auto block = [&](std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
    T* out = c + i0 * ldc + j0;
    if (!accumulate) {
      for (std::int64_t i = 0; i < i1 - i0; ++i) {
        if (bias) std::copy_n(bias + j0, j1 - j0, out + i * ldc);
        else std::fill_n(out + i * ldc, j1 - j0, T(0));
      }
    }
    if (k == 0) return;
    if (direct) {
      gemm_direct<T>(i1 - i0, j1 - j0, k, ma.block(i0, 0), mb.block(0, j0), out, ldc);
    } else {
      gemm_blocked<T>(i1 - i0, j1 - j0, k, ma.block(i0, 0), mb.block(0, j0), out, ldc);
    }
  };
  // C is cut along a long side, at multiples of the tile, in pieces that are worth a thread. Reading an element of a
  // matrix takes as long as some products.
  constexpr std::int64_t worth = 1 << 20, read = 4;
  if (std::max(m, read) * std::max(n, read) * k < worth) return block(0, m, 0, n);
  const bool by_rows = 2 * m >= n;
  const std::int64_t length = by_rows ? m : n, unit = by_rows ? tile.rows : 2 * tile.width;
  const auto units = (length + unit - 1) / unit;
  const auto unit_cost = unit * std::max(by_rows ? n : m, read) * std::max<std::int64_t>(k, 1);
  const auto threads = ThreadPool::inside() ? 1 : std::int64_t{num_threads()};
  const auto grain = std::max<std::int64_t>((worth + unit_cost - 1) / unit_cost, (units + threads - 1) / threads);
  parallel_for(units, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto first = begin * unit, last = std::min(end * unit, length);
    if (by_rows) {
      block(first, last, 0, n);
    } else {
      block(0, m, first, last);
    }
  });
}

}  // namespace detail

/// True where products of float16 and bfloat16 are computed as they are, with sums in float: on tensor cores.
inline bool multiplies_16bit_floats() {
#if DNN_CUDA
  return on_gpu() && cu::has_tensor_cores();
#else
  return false;
#endif
}

/// Calls `body(std::type_identity<T>{})` with a type that products take here, otherwise throws DTypeError naming `op`.
template <class Body>
decltype(auto) visit_product(DType dtype, std::string_view op, Body&& body) {
#if DNN_CUDA
  if (multiplies_16bit_floats() && dtype == DType::float16) return body(std::type_identity<Float16>{});
  if (multiplies_16bit_floats() && dtype == DType::bfloat16) return body(std::type_identity<BFloat16>{});
#endif
  return visit_float(dtype, op, body);
}

/// C = op(A) op(B), or C += op(A) op(B) when `accumulate`; all row-major. op(A) is m x k, op(B) is k x n, C is m x n;
/// lda, ldb, ldc are the distances between rows as stored, in elements. Without `accumulate` every row may start from
/// `bias` (n) instead of 0.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
          const T* b, std::int64_t ldb, T* c, std::int64_t ldc, bool accumulate = false,
          std::type_identity_t<const T*> bias = nullptr) {
#if DNN_CUDA
  if (on_gpu()) return gpu::gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias);
#endif
  if constexpr (sizeof(T) > 2) {
    detail::gemm_on_host(trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias);
  }
}

/// The products of a batch: the i-th C, at c + i * m * n, is op(A) op(B) of those at the offsets of i.
template <class T>
void gemm_batched(const BatchAxes& batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                  const T* a, std::int64_t lda, const BatchAxes::Strides& a_strides, const T* b, std::int64_t ldb,
                  const BatchAxes::Strides& b_strides, T* c) {
#if DNN_CUDA
  if (on_gpu()) {
    return gpu::gemm_batched<T>(batch, trans_a, trans_b, m, n, k, a, lda, a_strides, b, ldb, b_strides, c, n, false,
                                nullptr);
  }
#endif
  // Many small products share the threads; a large one uses them all by itself.
  const auto batches = batch.size(), cost = std::max<std::int64_t>(m * n * k, 1);
  const auto grain = cost >= (1 << 20) ? batches : std::max<std::int64_t>(1, (1 << 18) / cost);
  parallel_for(batches, grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      gemm<T>(trans_a, trans_b, m, n, k, a + batch.offset(i, a_strides), lda, b + batch.offset(i, b_strides), ldb,
              c + i * m * n, n);
    }
  });
}

}  // namespace dnn::inline DNN_ABI::kernels
