/// Matrix products of row-major matrices.
///
/// The blocked product follows Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (TOMS 2008):
/// panels of B that stay in the last-level cache, blocks of A that stay in L2, and a register tile of C.
/// Written here rather than taken from Eigen because instantiating Eigen's product for two types and four storage
/// orders costs a user 4 s of compile time, and because small and thin products, which training is full of, want no
/// packing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/batch_axes.hpp"
#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/scratch.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/gemm.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

namespace detail {

/// A matrix as elements x(i, j) = data[i * row + j * column].
template <class T>
struct StridedMatrix {
  const T* data;
  std::int64_t row, column;

  StridedMatrix block(std::int64_t i, std::int64_t j) const noexcept {
    return {data + i * row + j * column, row, column};
  }
};

/// Tile of C held in registers: tile_rows x (2 packs). With AVX-512, 8 rows keep the multipliers as busy as the 12 that
/// would fit, and more sizes are multiples of 8.
inline constexpr int tile_rows = simd_bytes == 64 ? 8 : 6;
template <class T>
inline constexpr int tile_columns = 2 * Pack<T>::width;
/// Depth of a panel, rows of a block of A (fits L2 with its panel of B in L1), columns of a block of B.
inline constexpr std::int64_t block_depth = 256, block_rows = 192, block_columns = 2048;

// A packet as a template argument loses its alignment attribute, which does not matter here.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// The largest of Eigen's packets that `Width` is a multiple of; T itself where there is none.
template <int Width, class T, class Packet>
struct PacketFor {
  using Half = typename Eigen::internal::unpacket_traits<Packet>::half;
  static constexpr int size = Eigen::internal::unpacket_traits<Packet>::size;
  static constexpr bool fits = Width % size == 0, smaller = !std::is_same_v<Half, Packet>;
  using type =
      typename std::conditional_t<fits, std::type_identity<Packet>,
                                  std::conditional_t<smaller, PacketFor<Width, T, Half>, std::type_identity<T>>>::type;
};

/// out[p * Width + r] = x[r * row + p] for r < Width and p < depth: square blocks are transposed in registers.
template <int Width, class T>
void transpose_panel(T* out, const T* x, std::int64_t row, std::int64_t depth) {
  using Packet = typename PacketFor<Width, T, typename Eigen::internal::packet_traits<T>::type>::type;
  constexpr int size = Eigen::internal::unpacket_traits<Packet>::size;
  std::int64_t p = 0;
  if constexpr (size > 1) {
    for (; p + size <= depth; p += size) {
      for (int r = 0; r < Width; r += size) {
        Eigen::internal::PacketBlock<Packet, size> block;
        for (int i = 0; i < size; ++i) block.packet[i] = Eigen::internal::ploadu<Packet>(x + (r + i) * row + p);
        Eigen::internal::ptranspose(block);
        for (int i = 0; i < size; ++i) Eigen::internal::pstoreu(out + (p + i) * Width + r, block.packet[i]);
      }
    }
  }
  out += p * Width;
  x += p;
  for (std::int64_t rest = depth - p; rest > 0; --rest, ++x, out += Width) {
    for (int r = 0; r < Width; ++r) out[r] = x[r * row];
  }
}

#pragma GCC diagnostic pop

/// Copies `count` x `depth` (count along `x`'s rows) into panels of `Width` rows, zero-padded, depth-major.
template <int Width, class T>
void pack_panels(T* out, StridedMatrix<T> x, std::int64_t count, std::int64_t depth) {
  for (std::int64_t i = 0; i < count; i += Width) {
    const auto rows = std::min<std::int64_t>(Width, count - i);
    const auto panel = x.block(i, 0);
    if (rows == Width && panel.row == 1) {
      for (std::int64_t p = 0; p < depth; ++p)
        std::memcpy(out + p * Width, panel.data + p * panel.column, Width * sizeof(T));
    } else if (rows == Width && panel.column == 1) {
      transpose_panel<Width>(out, panel.data, panel.row, depth);
    } else {
      for (std::int64_t r = 0; r < rows; ++r) {
        const T* source = panel.data + r * panel.row;
        for (std::int64_t p = 0; p < depth; ++p) out[p * Width + r] = source[p * panel.column];
      }
      for (std::int64_t p = 0; p < depth; ++p) std::fill(out + p * Width + rows, out + (p + 1) * Width, T(0));
    }
    out += Width * depth;
  }
}

/// C tile, `Packs` registers wide, += A panel * B; `row(p)` is row p of B. The accumulators are unrolled by hand
/// (folds), so they live in registers at -O2 too.
template <class T, int Packs, class Row, std::size_t... R>
void multiply_tile(std::int64_t depth, const T* a, Row row, T* c, std::int64_t ldc, std::index_sequence<R...>) {
  constexpr int width = Pack<T>::width;
  using Vector = typename Pack<T>::Vector;
  Vector low[sizeof...(R)] = {}, high[sizeof...(R)] = {};
  for (std::int64_t p = 0; p < depth; ++p) {
    const T* b = row(p);
    const Vector b0 = Pack<T>::load(b).v;
    if constexpr (Packs == 1) {
      ((low[R] += b0 * a[R]), ...);
    } else {
      const Vector b1 = Pack<T>::load(b + width).v;
      ((low[R] += b0 * a[R], high[R] += b1 * a[R]), ...);
    }
    a += sizeof...(R);
  }
  const auto add = [&](std::size_t r) {
    T* out = c + static_cast<std::int64_t>(r) * ldc;
    (Pack<T>::load(out) + Pack<T>(low[r])).store(out);
    if constexpr (Packs == 2) (Pack<T>::load(out + width) + Pack<T>(high[r])).store(out + width);
  };
  (add(R), ...);
}

/// A tile of dot products: so many rows by so many columns, whose sums stay in registers.
inline constexpr int dot_rows = simd_bytes == 64 ? 4 : 3, dot_columns = simd_bytes == 64 ? 6 : 4;
inline constexpr int dot_sums = dot_rows * dot_columns;
/// From this length on a tile of them pays.
template <class T>
inline constexpr std::int64_t dot_depth = 4 * Pack<T>::width;

template <class T, std::size_t... R, std::size_t... S>
void add_dots(std::int64_t pieces, std::int64_t n, const T* a, std::int64_t a_piece, const std::int64_t* a_rows,
              const T* b, std::int64_t b_piece, const std::int64_t* b_rows, T* sums, std::index_sequence<R...>,
              std::index_sequence<S...>) {
  constexpr std::int64_t width = Pack<T>::width;
  using Vector = typename Pack<T>::Vector;
  Vector acc[sizeof...(S)][sizeof...(R)] = {};
  for (std::int64_t piece = 0; piece < pieces; ++piece, a += a_piece, b += b_piece) {
    const T* const rows[] = {a + a_rows[R]...};
    const T* const columns[] = {b + b_rows[S]...};
    for (std::int64_t i = 0; i < n; i += width) {
      const Vector x[] = {Pack<T>::load(rows[R] + i).v...};
      const auto add_column = [&](Vector* sum, const T* column) {
        Vector y = Pack<T>::load(column + i).v;
#if defined(__GNUC__) && defined(__SSE2__)
        // In a register: GCC would load it, maybe from between two cache lines, again for each product.
        asm("" : "+v"(y));
#endif
        ((sum[R] += x[R] * y), ...);
      };
      (add_column(acc[S], columns[S]), ...);
    }
  }
  // The lanes of each are summed by adding the rows of the transpose.
  alignas(simd_bytes) T lanes[dot_sums * width];
  std::memcpy(lanes, acc, sizeof lanes);
  alignas(simd_bytes) T by_lane[width * dot_sums];
  transpose_panel<dot_sums>(by_lane, lanes, width, width);
  for (std::int64_t lane = 0; lane < width; ++lane) {
    for (std::int64_t i = 0; i < dot_sums; ++i) sums[i] += by_lane[lane * dot_sums + i];
  }
}

/// sums[s * dot_rows + r] += the dot product of row r of A and row s of B, over `pieces` pieces of n elements, rounded
/// up to whole packs. Rows begin at a + a_rows[r] and b + b_rows[s], their pieces are a_piece and b_piece apart.
template <class T>
void add_dots(std::int64_t pieces, std::int64_t n, const T* a, std::int64_t a_piece, const std::int64_t* a_rows,
              const T* b, std::int64_t b_piece, const std::int64_t* b_rows, T* sums) {
  add_dots(pieces, n, a, a_piece, a_rows, b, b_piece, b_rows, sums, std::make_index_sequence<dot_rows>{},
           std::make_index_sequence<dot_columns>{});
}

/// C += A B where the rows of A and the columns of B are contiguous: dot products, nothing is packed.
template <class T>
void gemm_dots(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c,
               std::int64_t ldc) {
  constexpr std::int64_t width = Pack<T>::width;
  const auto whole = k / width * width, rest = k - whole;
  constexpr std::array<std::int64_t, dot_sums> ends = [] {
    std::array<std::int64_t, dot_sums> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int64_t>(i) * width;
    return out;
  }();
  alignas(simd_bytes) T a_end[dot_rows * width] = {}, b_end[dot_columns * width] = {};
  std::int64_t a_rows[dot_rows], b_rows[dot_columns];
  for (std::int64_t i = 0; i < m; i += dot_rows) {
    // A tile at the edge computes the last row again.
    for (std::int64_t r = 0; r < dot_rows; ++r) {
      a_rows[r] = std::min(i + r, m - 1) * a.row;
      std::memcpy(a_end + r * width, a.data + a_rows[r] + whole, static_cast<std::size_t>(rest) * sizeof(T));
    }
    for (std::int64_t j = 0; j < n; j += dot_columns) {
      alignas(simd_bytes) T sums[dot_sums] = {};
      for (std::int64_t s = 0; s < dot_columns; ++s) {
        b_rows[s] = std::min(j + s, n - 1) * b.column;
        std::memcpy(b_end + s * width, b.data + b_rows[s] + whole, static_cast<std::size_t>(rest) * sizeof(T));
      }
      add_dots(1, whole, a.data, 0, a_rows, b.data, 0, b_rows, sums);
      if (rest > 0) add_dots(1, width, a_end, 0, ends.data(), b_end, 0, ends.data(), sums);
      for (std::int64_t r = 0; r < std::min<std::int64_t>(dot_rows, m - i); ++r) {
        for (std::int64_t s = 0; s < std::min<std::int64_t>(dot_columns, n - j); ++s) {
          c[(i + r) * ldc + j + s] += sums[s * dot_rows + r];
        }
      }
    }
  }
}

/// C (m x n) += A (m x k) B (k x n), on one thread.
template <class T>
void gemm_blocked(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c,
                  std::int64_t ldc) {
  constexpr std::int64_t mr = tile_rows, nr = tile_columns<T>;
  const auto round_up = [](std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; };
  const Scratch<T> a_scratch(round_up(std::min(m, block_rows), mr) * std::min(k, block_depth));
  const Scratch<T> b_scratch(round_up(std::min(n, block_columns), nr) * std::min(k, block_depth));
  T *const a_panels = a_scratch.data(), *const b_panels = b_scratch.data();
  for (std::int64_t j0 = 0; j0 < n; j0 += block_columns) {
    const auto columns = std::min(block_columns, n - j0);
    for (std::int64_t p0 = 0; p0 < k; p0 += block_depth) {
      const auto depth = std::min(block_depth, k - p0);
      const auto b_block = b.block(p0, j0);
      pack_panels<nr>(b_panels, StridedMatrix<T>{b_block.data, b_block.column, b_block.row}, columns, depth);
      for (std::int64_t i0 = 0; i0 < m; i0 += block_rows) {
        const auto rows = std::min(block_rows, m - i0);
        pack_panels<mr>(a_panels, a.block(i0, p0), rows, depth);
        for (std::int64_t j = 0; j < columns; j += nr) {
          for (std::int64_t i = 0; i < rows; i += mr) {
            const T* a_panel = a_panels + i * depth;
            const T* b_panel = b_panels + j * depth;
            T* tile = c + (i0 + i) * ldc + j0 + j;
            constexpr auto all_rows = std::make_index_sequence<tile_rows>{};
            const auto height = std::min(mr, rows - i), breadth = std::min(nr, columns - j);
            const auto row = [b_panel](std::int64_t p) { return b_panel + p * nr; };
            if (height == mr && breadth == nr) {
              multiply_tile<T, 2>(depth, a_panel, row, tile, ldc, all_rows);
            } else {
              alignas(simd_bytes) T edge[mr * nr] = {};
              if (breadth > nr / 2) multiply_tile<T, 2>(depth, a_panel, row, edge, nr, all_rows);
              else multiply_tile<T, 1>(depth, a_panel, row, edge, nr, all_rows);
              for (std::int64_t r = 0; r < height; ++r) {
                for (std::int64_t s = 0; s < breadth; ++s) tile[r * ldc + s] += edge[r * nr + s];
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
  constexpr std::int64_t width = Pack<T>::width;
  if (b.column == 1) {
    // Rows of B, scaled and added to rows of C.
    for (std::int64_t i = 0; i < m; ++i) {
      T* out = c + i * ldc;
      std::int64_t j = 0;
      for (; j + 4 * width <= n; j += 4 * width) {
        Pack<T> sums[4];
        for (std::int64_t v = 0; v < 4; ++v) sums[v] = Pack<T>::load(out + j + v * width);
        for (std::int64_t p = 0; p < k; ++p) {
          const Pack<T> factor(a.data[i * a.row + p * a.column]);
          const T* row = b.data + p * b.row + j;
          for (std::int64_t v = 0; v < 4; ++v) sums[v] = sums[v] + factor * Pack<T>::load(row + v * width);
        }
        for (std::int64_t v = 0; v < 4; ++v) sums[v].store(out + j + v * width);
      }
      for (; j + width <= n; j += width) {
        Pack<T> sum = Pack<T>::load(out + j);
        for (std::int64_t p = 0; p < k; ++p) {
          sum = sum + Pack<T>(a.data[i * a.row + p * a.column]) * Pack<T>::load(b.data + p * b.row + j);
        }
        sum.store(out + j);
      }
      for (; j < n; ++j) {
        T sum = out[j];
        for (std::int64_t p = 0; p < k; ++p) sum += a.data[i * a.row + p * a.column] * b.data[p * b.row + j];
        out[j] = sum;
      }
    }
    return;
  }
  // Columns of B are contiguous: dot products with rows of A, gathered when they are not.
  if (a.column != 1) {
    const Scratch<T> rows(m * k);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t p = 0; p < k; ++p) rows.data()[i * k + p] = a.data[i * a.row + p * a.column];
    }
    return gemm_direct<T>(m, n, k, {rows.data(), k, 1}, b, c, ldc);
  }
  if (k >= dot_depth<T>) return gemm_dots<T>(m, n, k, a, b, c, ldc);
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
  const StridedMatrix<T> ma{a, trans_a ? 1 : lda, trans_a ? lda : 1};
  const StridedMatrix<T> mb{b, trans_b ? 1 : ldb, trans_b ? ldb : 1};
  const bool dots = ma.column == 1 && mb.row == 1 && k >= dot_depth<T> && (m <= 16 || n <= 16);
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
  // The longer side of C is cut, at multiples of the tile, in pieces that are worth a thread.
  constexpr std::int64_t worth = 1 << 20;
  if (m * n * k < worth) return block(0, m, 0, n);
  const bool by_rows = m >= n;
  const std::int64_t length = by_rows ? m : n, unit = by_rows ? tile_rows : tile_columns<T>;
  const auto units = (length + unit - 1) / unit;
  const auto unit_cost = unit * (by_rows ? n : m) * std::max<std::int64_t>(k, 1);
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

/// True where products of float16 and bfloat16 are computed as they are, with sums in float: on GPUs.
inline bool multiplies_16bit_floats() noexcept { return on_gpu(); }

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
