/// The product of two operands: the kernel behind gemm and the convolutions.
///
/// A block of threads computes a tile of C. It copies slices of both operands to shared memory, some ahead of the one
/// that it multiplies; an engine says how: on the ordinary cores, a square of C in the registers of each thread (float,
/// double), or on tensor cores (float16, bfloat16, TF32), which add up in float. Thin products, whose tiles would not
/// occupy the GPU, are cut along the depth as well ("split-K"): each part leaves its sums in scratch memory, and a
/// second kernel adds them in order. Nothing depends on the order in which blocks run.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <type_traits>

#include "dnn/core/config.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/cuda/device.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/mma.hpp"
#include "dnn/kernels/batch_axes.hpp"
#include "dnn/kernels/gpu/index.hpp"
#include "dnn/kernels/gpu/operand.hpp"
#include "dnn/kernels/gpu/scratch.hpp"
#include "dnn/kernels/gpu/warpgroup_engine.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// What one launch multiplies: (m x k) (k x n) for every batch, each part of a product taking `part_depth` of k.
struct ProductSizes {
  std::int64_t m = 0, n = 0;
  BatchAxes batch;
  unsigned row_tiles = 0, column_tiles = 0, parts = 1;
  int k = 0, part_depth = 0;
};

/// Elements from one row to the next where an engine leaves its sums in shared memory.
template <class Engine>
inline constexpr int tile_pitch = Engine::columns + 4;

/// The ordinary cores' engine: x(i, p) lies at [p][i]. Loaded element by element, whatever the strides and the
/// alignment, neighbouring lanes reading neighbours in memory; with `vectors` and neighbours in i, 16 bytes at a time.
template <class T, int size>
struct CoreEngine {
  using Value = T;
  using Sum = T;
  static constexpr int threads = 256, blocks_per_multiprocessor = 2, stages = 2, alignment = 16;
  static constexpr int rows = size, columns = size, depth = 16;
  static constexpr int pitch = size + 4;  // keeps transposing copies clear of bank conflicts
  static constexpr int operand_elements = depth * pitch;
  static constexpr bool transfers = false;

  template <class Operand>
  class Loader {
   public:
    DNN_DEVICE Loader(const Operand& x, const T* data, std::int64_t first)
        : x_(x), rows_(x, data, first + first_row(x)) {}

    DNN_DEVICE void load(cu::AsyncCopies& copies, T* to, int begin, int end) const {
      const int depth_0 = first_depth(x_);
      to += depth_0 * pitch + first_row(x_);
      if constexpr (Operand::dense) {
        if (in_vectors(x_)) {
          const int bytes = (rows_.left() >= vector ? vector : rows_.left() > 0 ? rows_.left() : 0) * size_of;
          DNN_UNROLL
          for (int h = 0; h < depth; h += vector_depth) {
            const auto p = x_.depth(begin + depth_0 + h, end);
            copies.copy<16>(to + h * pitch, rows_.start() + p.offset, p.valid ? bytes : 0);
          }
          return;
        }
      }
      DNN_NO_UNROLL  // the coordinates of more than one depth do not fit in the registers
          for (int h = 0; h < depth; h += lane_depth) {
        const auto p = x_.depth(begin + depth_0 + h, end);
        DNN_UNROLL
        for (int r = 0; r < size / lane_rows; ++r) {
          const auto element = rows_.find(r, p);
          copies.copy<size_of>(to + h * pitch + r * lane_rows, element.at, element.valid ? size_of : 0);
        }
      }
    }

   private:
    static constexpr int size_of = static_cast<int>(sizeof(T));
    static constexpr int lane_depth = 8, lane_rows = threads / lane_depth;
    static constexpr int vector = 16 / size_of, row_vectors = size / vector, vector_depth = threads / row_vectors;

    DNN_DEVICE static bool in_vectors(const Operand& x) {
      if constexpr (Operand::dense) return x.vectors && !x.depth_first;
      else return false;
    }
    DNN_DEVICE static int first_row(const Operand& x) {
      const int thread = static_cast<int>(threadIdx.x);
      return in_vectors(x) ? thread % row_vectors * vector : x.depth_first ? thread / lane_depth : thread % lane_rows;
    }
    DNN_DEVICE static int first_depth(const Operand& x) {
      const int thread = static_cast<int>(threadIdx.x);
      return in_vectors(x) ? thread / row_vectors : x.depth_first ? thread % lane_depth : thread / lane_rows;
    }

    const Operand& x_;
    typename Operand::template Rows<size / lane_rows, lane_rows> rows_;
  };

  DNN_DEVICE static void settle() {}

  /// Adds the product of one slice. `a_depth_first` and `b_depth_first` do not matter here: copies transpose.
  DNN_DEVICE void multiply(const T* a, bool, const T* b, bool) {
    DNN_UNROLL
    for (int p = 0; p < depth; ++p) {
      Piece<T, 4> rows_of_a[groups], columns_of_b[groups];
      DNN_UNROLL
      for (int g = 0; g < groups; ++g) {
        rows_of_a[g] = *reinterpret_cast<const Piece<T, 4>*>(a + p * pitch + row(g));
        columns_of_b[g] = *reinterpret_cast<const Piece<T, 4>*>(b + p * pitch + column(g));
      }
      DNN_UNROLL
      for (int r = 0; r < 4 * groups; ++r) {
        DNN_UNROLL
        for (int c = 0; c < 4 * groups; ++c) sums_[r][c] += rows_of_a[r / 4].v[r % 4] * columns_of_b[c / 4].v[c % 4];
      }
    }
  }

  /// Writes rows `first` to `first` + 63 of the tile to shared memory.
  DNN_DEVICE void leave(int first, Sum* tile) const {
    DNN_UNROLL
    for (int r = 0; r < 4 * groups; ++r) {
      if (r / 4 * 64 != first) continue;
      DNN_UNROLL
      for (int g = 0; g < groups; ++g) {
        auto& to = *reinterpret_cast<Piece<Sum, 4>*>(tile + (row(0) + r % 4) * tile_pitch<CoreEngine> + column(g));
        DNN_UNROLL
        for (int c = 0; c < 4; ++c) to.v[c] = sums_[r][4 * g + c];
      }
    }
  }

 private:
  /// A thread holds groups x groups squares of 4 x 4, `size / groups` apart; a warp covers 4 x 8 threads.
  static constexpr int groups = size / 64;
  DNN_DEVICE static int row(int group) {
    const int thread = static_cast<int>(threadIdx.x);
    return group * 64 + (thread / 64 * 4 + thread % 32 / 8) * 4;
  }
  DNN_DEVICE static int column(int group) {
    const int thread = static_cast<int>(threadIdx.x);
    return group * 64 + (thread / 32 % 2 * 8 + thread % 8) * 4;
  }

  T sums_[4 * groups][4 * groups] = {};
};

/// The tensor cores' engine. A slice is 64 bytes deep and lies in shared memory as in global memory: [i][p] or [p][i],
/// padded so that the eight rows that `ldmatrix` reads at a time fall in different banks.
template <class E>
struct TensorEngine {
  using Value = E;
  using Sum = float;
  static constexpr int threads = 128, blocks_per_multiprocessor = 2, stages = 3, alignment = 16;
  static constexpr int rows = 128, columns = 128, depth = 64 / static_cast<int>(sizeof(E));
  static constexpr int vector = 16 / static_cast<int>(sizeof(E));
  static constexpr int depth_pitch = depth + vector, row_pitch = 128 + (sizeof(E) == 4 ? 8 : vector);
  static constexpr int operand_elements = std::max(128 * depth_pitch, depth* row_pitch);
  static constexpr bool transfers = false;

  template <class Operand>
  class Loader {
   public:
    DNN_DEVICE Loader(const Operand& x, const E* data, std::int64_t first)
        : x_(x), data_(data), first_(first), thread_(static_cast<int>(threadIdx.x)) {}

    DNN_DEVICE void load(cu::AsyncCopies& copies, E* to, int begin, int end) const {
      if constexpr (Operand::dense) {
        if (x_.vectors) return load_vectors(copies, to, begin, end);
      }
      // One coordinate of a thread's elements stays, the other one goes on.
      if (x_.depth_first) {
        constexpr int step = threads / depth;
        const auto p = x_.depth(begin + thread_ % depth, end);
        DNN_NO_UNROLL
        for (int i = thread_ / depth; i < 128; i += at_once * step) {
          copy(copies, to + i * depth_pitch + thread_ % depth, step * depth_pitch,
               [&](int n) { return Row(x_, data_, first_ + i + n * step).find(0, p); });
        }
      } else {
        const Row row(x_, data_, first_ + thread_);
        DNN_NO_UNROLL
        for (int p = 0; p < depth; p += at_once) {
          copy(copies, to + p * row_pitch + thread_, row_pitch,
               [&](int n) { return row.find(0, x_.depth(begin + p + n, end)); });
        }
      }
    }

   private:
    using Row = typename Operand::template Rows<1, 1>;
    static constexpr int size = static_cast<int>(sizeof(E)), at_once = 16;

    /// Elements find(0), find(1), ... to places `pitch` apart. cp.async does not move 16 bits: these wait for memory,
    /// all of them together.
    template <class Find>
    DNN_DEVICE static void copy(cu::AsyncCopies& copies, E* to, int pitch, Find find) {
      if constexpr (size == 4) {
        DNN_UNROLL
        for (int n = 0; n < at_once; ++n) {
          const Element<E> element = find(n);
          copies.copy<4>(to + n * pitch, element.at, element.valid ? 4 : 0);
        }
      } else {
        E values[at_once];
        DNN_UNROLL
        for (int n = 0; n < at_once; ++n) {
          const Element<E> element = find(n);
          values[n] = element.valid ? *element.at : E{};
        }
        DNN_UNROLL
        for (int n = 0; n < at_once; ++n) to[n * pitch] = values[n];
      }
    }

    DNN_DEVICE void load_vectors(cu::AsyncCopies& copies, E* to, int begin, int end) const {
      const auto bytes = [](std::int64_t left) {
        return static_cast<int>(left >= vector ? vector : left > 0 ? left : 0) * size;
      };
      if (x_.depth_first) {
        constexpr int per_row = depth / vector;
        const int p = thread_ % per_row * vector;
        const int valid = bytes(end - begin - p);
        DNN_UNROLL
        for (int h = 0; h < 128; h += threads / per_row) {
          const int i = thread_ / per_row + h;
          copies.copy<16>(to + i * depth_pitch + p, data_ + (first_ + i) * x_.row + begin + p,
                          first_ + i < x_.rows ? valid : 0);
        }
      } else {
        constexpr int per_row = 128 / vector;
        const int i = thread_ % per_row * vector;
        const int valid = bytes(x_.rows - first_ - i);
        DNN_UNROLL
        for (int h = 0; h < depth; h += threads / per_row) {
          const int p = thread_ / per_row + h;
          copies.copy<16>(to + p * row_pitch + i, data_ + first_ + i + (std::int64_t{begin} + p) * x_.column,
                          begin + p < end ? valid : 0);
        }
      }
    }

    const Operand& x_;
    const E* data_;
    std::int64_t first_;
    int thread_;
  };

  DNN_DEVICE static void settle() {}

  DNN_DEVICE void multiply(const E* a, bool a_depth_first, const E* b, bool b_depth_first) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    DNN_UNROLL
    for (int p = 0; p < depth; p += depth / 2) {
      std::uint32_t rows_of_a[4][4], columns_of_b[4][4];
      load_fragments(rows_of_a, a, a_depth_first, warp / 2 * 64, p);
      load_fragments(columns_of_b, b, b_depth_first, warp % 2 * 64, p);
      DNN_UNROLL
      for (int r = 0; r < 4; ++r) {
        DNN_UNROLL
        for (int c = 0; c < 8; ++c) {
          cu::multiply_fragments<E>(sums_[r][c], rows_of_a[r], columns_of_b[c / 2][c % 2],
                                    columns_of_b[c / 2][c % 2 + 2]);
        }
      }
    }
  }

  DNN_DEVICE void leave(int first, Sum* tile) const {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    if (warp / 2 * 64 != first) return;
    DNN_UNROLL
    for (int r = 0; r < 4; ++r) {
      DNN_UNROLL
      for (int c = 0; c < 8; ++c) {
        Sum* to = tile + (16 * r + lane / 4) * tile_pitch<TensorEngine> + warp % 2 * 64 + 8 * c + lane % 4 * 2;
        *reinterpret_cast<Piece<Sum, 2>*>(to) = {sums_[r][c][0], sums_[r][c][1]};
        *reinterpret_cast<Piece<Sum, 2>*>(to + 8 * tile_pitch<TensorEngine>) = {sums_[r][c][2], sums_[r][c][3]};
      }
    }
  }

 private:
  /// Four fragments of 16 rows from row i on; word w of a lane belongs to rows 8 (w % 2) and chunk w / 2 of the depth.
  DNN_DEVICE static void load_fragments(std::uint32_t (&out)[4][4], const E* x, bool depth_first, int i, int p) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    if (depth_first) {
      DNN_UNROLL
      for (int r = 0; r < 4; ++r) {
        cu::load_matrices<false>(out[r], x + (i + 16 * r + lane % 16) * depth_pitch + p + lane / 16 * vector);
      }
    } else if constexpr (sizeof(E) == 2) {
      DNN_UNROLL
      for (int r = 0; r < 4; ++r) {
        cu::load_matrices<true>(out[r], x + (p + lane % 8 + lane / 16 * 8) * row_pitch + i + 16 * r + lane / 8 % 2 * 8);
      }
    } else {
      DNN_UNROLL
      for (int r = 0; r < 4; ++r) {
        DNN_UNROLL
        for (int w = 0; w < 4; ++w) {
          out[r][w] = std::bit_cast<std::uint32_t>(
              x[(p + lane % 4 + w / 2 * 4) * row_pitch + i + 16 * r + lane / 4 + w % 2 * 8]);
        }
      }
    }
    if constexpr (sizeof(E) == 4) {
      DNN_UNROLL
      for (int r = 0; r < 4; ++r) {
        DNN_UNROLL
        for (int w = 0; w < 4; ++w) out[r][w] = cu::to_tf32(std::bit_cast<float>(out[r][w]));
      }
    }
  }

  float sums_[4][8][4] = {};
};

/// Where a block works. Neighbouring blocks share rows and columns of tiles, so that what they read meets in the cache.
struct TilePlace {
  int batch, part, row, column;

  DNN_DEVICE static TilePlace of(unsigned block, const ProductSizes& s) {
    constexpr unsigned band = 8;  // rows of tiles that blocks walk down before they go on to the next column
    const unsigned tiles = s.row_tiles * s.column_tiles, tile = block % tiles, rest = block / tiles;
    const unsigned in_band = tile % (band * s.column_tiles), above = tile / (band * s.column_tiles) * band;
    const unsigned height = s.row_tiles - above < band ? s.row_tiles - above : band;
    return {static_cast<int>(rest / s.parts), static_cast<int>(rest % s.parts),
            static_cast<int>(above + in_band % height), static_cast<int>(in_band / height)};
  }
};

/// Adds the products of all slices of a tile to the engine's sums: copies some slices ahead of the one it multiplies.
template <class Engine, class A, class B>
DNN_DEVICE void multiply_slices(Engine& engine, const A& a, const B& b, typename Engine::Value* shared,
                                std::int64_t row, std::int64_t column, int begin, int end, int slices,
                                std::int64_t offset_a, std::int64_t offset_b) {
  const typename Engine::template Loader<A> load_a(a, a.data + offset_a, row);
  const typename Engine::template Loader<B> load_b(b, b.data + offset_b, column);
  const auto slice_a = [&](int i) { return shared + i % Engine::stages * 2 * Engine::operand_elements; };
  const auto slice_b = [&](int i) { return slice_a(i) + Engine::operand_elements; };
  cu::AsyncCopies copies;
  const auto load = [&](int i) {
    if (i < slices) {
      load_a.load(copies, slice_a(i), begin + i * Engine::depth, end);
      load_b.load(copies, slice_b(i), begin + i * Engine::depth, end);
    }
    copies.commit();
  };
  for (int i = 0; i < Engine::stages - 1; ++i) load(i);
  for (int i = 0; i < slices; ++i) {
    copies.wait<Engine::stages - 2>();
    engine.settle();
    __syncthreads();  // slice i is there, and nobody needs slice i - 1 any more, whose place the next copies take
    load(i + Engine::stages - 1);
    engine.multiply(slice_a(i), a.depth_first, slice_b(i), b.depth_first);
  }
  engine.settle();
}

/// C = A B, or with `sums` the partial sums (batch, part, m, n) of it.
template <class Engine, class A, class B, class Out>
DNN_KERNEL void DNN_LAUNCH_BOUNDS(Engine::threads, Engine::blocks_per_multiprocessor)
    multiply_tiles(const DNN_GRID_CONSTANT A a, const DNN_GRID_CONSTANT B b, const Out out, const ProductSizes s,
                   typename Engine::Sum* sums) {
  using Value = typename Engine::Value;
  DNN_DYNAMIC_SHARED(unsigned char, memory);
  if constexpr (Engine::alignment > 128) {
    memory += -reinterpret_cast<std::uintptr_t>(memory) & (Engine::alignment - 1);
  }
  Value* const shared = reinterpret_cast<Value*>(memory);
  const auto place = TilePlace::of(blockIdx.x, s);
  const auto offset = s.batch.offset(place.batch, out.batch_strides);
  const auto first_row = std::int64_t{place.row} * Engine::rows;
  const auto first_column = std::int64_t{place.column} * Engine::columns;
  const int begin = place.part * s.part_depth, end = begin + s.part_depth < s.k ? begin + s.part_depth : s.k;
  const int slices = (end - begin + Engine::depth - 1) / Engine::depth;

  Engine engine;
  if constexpr (Engine::transfers) {
    engine.multiply_slices(a, b, shared, static_cast<int>(first_row), static_cast<int>(first_column), begin, slices,
                           place.batch);
  } else {
    multiply_slices(engine, a, b, shared, first_row, first_column, begin, end, slices,
                    s.batch.offset(place.batch, a.batch_strides), s.batch.offset(place.batch, b.batch_strides));
  }

  // The sums go through shared memory, 64 rows at a time, so that whole rows are written side by side.
  using Sum = typename Engine::Sum;
  constexpr int pieces = Engine::columns / 4;
  static_assert(64 * tile_pitch<Engine> * sizeof(Sum) <= Engine::stages * 2 * Engine::operand_elements * sizeof(Value));
  Sum* const tile = reinterpret_cast<Sum*>(shared);
  if (sums) sums += (std::int64_t{place.batch} * s.parts + place.part) * s.m * s.n;
  DNN_NO_UNROLL
  for (int first = 0; first < Engine::rows; first += 64) {
    __syncthreads();
    engine.leave(first, tile);
    __syncthreads();
    DNN_NO_UNROLL
    for (int at = static_cast<int>(threadIdx.x); at < 64 * pieces; at += Engine::threads) {
      const auto i = first_row + first + at / pieces, j = first_column + at % pieces * 4;
      if (i >= s.m || j >= s.n) continue;
      const Sum* values = tile + at / pieces * tile_pitch<Engine> + at % pieces * 4;
      if (sums) {
        for (int c = 0; c < 4 && j + c < s.n; ++c) sums[i * s.n + j + c] = values[c];
      } else {
        out.template store<4>(offset, place.batch, i, j, s.n, values);
      }
    }
  }
}

/// The second step of products cut along their depth: adds up the parts, in order.
template <class Out>
DNN_KERNEL void add_parts(const Out out, const ProductSizes s, const typename Out::Sum* sums, std::int64_t batches) {
  const auto size = s.m * s.n;
  const auto step = std::int64_t{gridDim.x} * blockDim.x;
  for (auto at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; at < batches * size; at += step) {
    const auto batch = at / size, element = at % size;
    typename Out::Sum sum = 0;
    for (unsigned part = 0; part < s.parts; ++part) sum += sums[(batch * s.parts + part) * size + element];
    out.template store<1>(s.batch.offset(batch, out.batch_strides), batch, element / s.n, element % s.n, s.n, &sum);
  }
}

namespace detail {

/// DNN_GEMM_VERBOSE=1: every product says how it is computed.
inline bool verbose_products() noexcept {
  static const bool verbose = [] {
    const char* text = std::getenv("DNN_GEMM_VERBOSE");
    return text && *text && *text != '0';
  }();
  return verbose;
}

/// Parts along the depth: as many as occupy the GPU, of at least 256.
inline std::int64_t parts_of(std::int64_t blocks, std::int64_t k, std::int64_t wanted_blocks) noexcept {
  constexpr std::int64_t least_depth = 256, most_parts = 32;
  if (blocks >= wanted_blocks) return 1;
  return std::clamp<std::int64_t>(std::min(wanted_blocks / blocks, k / least_depth), 1, most_parts);
}

template <class Engine, class A, class B, class Out>
void launch_product(std::string_view name, std::string_view engine, const A& a, const B& b, const Out& out,
                    ProductSizes s) {
  const auto up = [](std::int64_t n, std::int64_t d) { return (n + d - 1) / d; };
  const auto row_tiles = up(s.m, Engine::rows), column_tiles = up(s.n, Engine::columns), batches = s.batch.size();
  const auto tiles = batches * row_tiles * column_tiles;
  auto parts = parts_of(tiles, s.k, std::int64_t{cu::multiprocessor_count()} * Engine::blocks_per_multiprocessor);
  s.part_depth = static_cast<int>(up(up(s.k, parts), Engine::depth) * Engine::depth);
  parts = std::max<std::int64_t>(1, up(s.k, std::max(s.part_depth, 1)));
  DNN_EXPECT(name, tiles * parts < std::int64_t{1} << 31);
  s.row_tiles = static_cast<unsigned>(row_tiles), s.column_tiles = static_cast<unsigned>(column_tiles);
  s.parts = static_cast<unsigned>(parts);
  if (verbose_products()) {
    std::fprintf(stderr, "%s\n",
                 concat("[", name, "] ", batches, " x (", s.m, " x ", s.n, " x ", s.k, "): ", engine, ", tiles of ",
                        Engine::rows, " x ", Engine::columns, ", ", tiles * parts, " blocks, ", parts, " parts")
                     .c_str());
  }
  constexpr auto shared = std::size_t{2} * Engine::stages * Engine::operand_elements * sizeof(typename Engine::Value) +
                          (Engine::alignment > 128 ? Engine::alignment : 0);
  const Scratch<typename Engine::Sum> sums(parts == 1 ? 0 : batches * parts * s.m * s.n);
  cu::launch(name, multiply_tiles<Engine, A, B, Out>, {static_cast<unsigned>(tiles * parts), Engine::threads, shared},
             a, b, out, s, sums.data());
  if (parts == 1) return;
  constexpr int threads = 256;
  cu::launch(name, add_parts<Out>, {blocks_for(batches * s.m * s.n, threads), threads}, out, s, sums.data(), batches);
}

/// A product on Hopper's tensor cores.
template <class T, class Out>
void launch_warpgroup_product(std::string_view name, const StridedOperand<T>& a, const StridedOperand<T>& b,
                              const Out& out, const ProductSizes& s) {
  using Transferred = TransferredOperand<T>;
  if (Transferred::takes(a, s.k, s.batch) && Transferred::takes(b, s.k, s.batch)) {
    launch_product<TransferEngine<T>>(name, "tensor cores (wgmma, TMA)", Transferred::of(a, s.k, s.batch),
                                      Transferred::of(b, s.k, s.batch), out, s);
  } else {
    launch_product<WarpgroupEngine<T>>(name, "tensor cores (wgmma)", a, b, out, s);
  }
}

}  // namespace detail

/// out = a b, for every batch. Where there are float operands, TF32 is used if `config().allow_tf32`.
template <class A, class B, class Out>
void multiply(std::string_view name, const A& a, const B& b, const Out& out, std::int64_t m, std::int64_t n,
              std::int64_t k, const BatchAxes& batch = {}) {
  using T = typename A::Value;
  ProductSizes s;
  DNN_EXPECT(name, k <= max_elements);
  s.m = m, s.n = n, s.k = static_cast<int>(k), s.batch = batch;
  if (m == 0 || n == 0 || batch.size() == 0) return;
  if constexpr (sizeof(T) == 2) {
#if defined(DNN_HOPPER)
    if constexpr (A::dense && B::dense) {
      if (cu::attribute(cudaDevAttrComputeCapabilityMajor) == 9) {
        return detail::launch_warpgroup_product(name, a, b, out, s);
      }
    }
#endif
    detail::launch_product<TensorEngine<T>>(name, "tensor cores", a, b, out, s);
  } else if constexpr (sizeof(T) == 8) {
    detail::launch_product<CoreEngine<T, 64>>(name, "float64", a, b, out, s);
  } else {
    // Small tiles where large ones would leave half of the GPU idle.
    const auto large_tiles = (m + 127) / 128 * ((n + 127) / 128) * batch.size();
    if (config().allow_tf32 && cu::has_tensor_cores()) {
      detail::launch_product<TensorEngine<T>>(name, "tensor cores (TF32)", a, b, out, s);
    } else if (large_tiles >= cu::multiprocessor_count()) {
      detail::launch_product<CoreEngine<T, 128>>(name, "float32", a, b, out, s);
    } else {
      detail::launch_product<CoreEngine<T, 64>>(name, "float32", a, b, out, s);
    }
  }
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
