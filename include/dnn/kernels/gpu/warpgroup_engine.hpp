/// The engines of Hopper's tensor cores for kernels/gpu/product.hpp: float16 and bfloat16 through `wgmma`.
///
/// WarpgroupEngine copies operands with `cp.async`, wherever they lie. TransferEngine leaves that to the copy engine
/// ("TMA"), for operands whose rows begin at multiples of 16 bytes: one warp starts the copies, the others multiply.
/// Used where DNN_HOPPER is defined and the GPU has compute capability 9.0; compile for sm_90a. They are opt-in because
/// no GPU has run them: the emulation has, except for how the descriptors of shared memory and of matrices are encoded.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>
#include <utility>

#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/tma.hpp"
#include "dnn/cuda/wgmma.hpp"
#include "dnn/kernels/batch_axes.hpp"
#include "dnn/kernels/gpu/index.hpp"
#include "dnn/kernels/gpu/operand.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// Two warpgroups, 64 rows of the tile each. A slice is 64 deep; a chunk of 8 elements lies where SwizzledMatrix has
/// it.
template <class E>
struct WarpgroupEngine {
  using Value = E;
  using Sum = float;
  static constexpr int threads = 256, blocks_per_multiprocessor = 2, stages = 3, alignment = 1024;
  static constexpr int rows = 128, columns = 128, depth = 64;
  static constexpr int operand_elements = 128 * depth;
  static constexpr bool transfers = false;

  /// Of operands that are matrices: those that look their elements up gain nothing here.
  template <class Operand>
  class Loader {
    static_assert(Operand::dense);

   public:
    DNN_DEVICE Loader(const Operand& x, const E* data, std::int64_t first)
        : x_(x), i_(first_row(x)), p_(first_depth(x)), rows_(x, data, first + i_) {}

    DNN_DEVICE void load(cu::AsyncCopies& copies, E* to, int begin, int end) const {
      const auto bytes = [](int left) { return (left >= 8 ? 8 : left > 0 ? left : 0) * 2; };
      if (x_.depth_first) {
        const auto p = x_.depth(begin + p_, end);
        if (x_.vectors) {
          const int valid = bytes(end - begin - p_);
          DNN_UNROLL
          for (int h = 0; h < 128; h += threads / 8) {
            const auto element = rows_.find(h, p);
            copies.copy<16>(to + place(i_ + h, p_ / 8), element.at, element.valid ? valid : 0);
          }
        } else {
          DNN_NO_UNROLL
          for (int h = 0; h < 128; h += threads / depth) {
            const auto element = rows_.find(h, p);
            to[place(i_ + h, p_ / 8) + p_ % 8] = element.valid ? *element.at : E{};
          }
        }
      } else {
        to += i_ / 64 * block;
        if (x_.vectors) {
          const int valid = bytes(rows_.left());
          DNN_UNROLL
          for (int h = 0; h < depth; h += threads / 16) {
            const auto p = x_.depth(begin + p_ + h, end);
            copies.copy<16>(to + place(p_ + h, i_ % 64 / 8), rows_.start() + p.offset, p.valid ? valid : 0);
          }
        } else {
          DNN_NO_UNROLL
          for (int h = 0; h < depth; h += threads / 128) {
            const auto element = rows_.find(0, x_.depth(begin + p_ + h, end));
            to[place(p_ + h, i_ % 64 / 8) + i_ % 8] = element.valid ? *element.at : E{};
          }
        }
      }
    }

   private:
    /// Chunk `chunk` of a row of 128 bytes.
    DNN_DEVICE static int place(int row, int chunk) { return row * 64 + (chunk ^ row % 8) * 8; }

    DNN_DEVICE static int first_row(const Operand& x) {
      const int thread = static_cast<int>(threadIdx.x);
      if (x.depth_first) return x.vectors ? thread / 8 : thread / depth;
      return x.vectors ? thread % 16 * 8 : thread % 128;
    }
    DNN_DEVICE static int first_depth(const Operand& x) {
      const int thread = static_cast<int>(threadIdx.x);
      if (x.depth_first) return x.vectors ? thread % 8 * 8 : thread % depth;
      return x.vectors ? thread / 16 : thread / 128;
    }

    const Operand& x_;
    int i_, p_;
    typename Operand::template Rows<128, 1> rows_;
  };

  /// Products run on while the next copies are started; the one of the slice before must be done when its place is
  /// filled again.
  DNN_DEVICE void settle() {
    products_.finish(sums_);
    cu::fence_shared_for_async();
  }

  DNN_DEVICE void multiply(const E* a, bool a_depth_first, const E* b, bool b_depth_first) {
    if (a_depth_first) {
      if (b_depth_first) multiply<false, false>(a, b);
      else multiply<false, true>(a, b);
    } else {
      if (b_depth_first) multiply<true, false>(a, b);
      else multiply<true, true>(a, b);
    }
  }

  DNN_DEVICE void leave(int first, Sum* tile) const {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    if (warp / 4 * 64 != first) return;
    DNN_UNROLL
    for (int j = 0; j < 16; ++j) {
      Sum* to = tile + (warp % 4 * 16 + lane / 4) * (columns + 4) + 8 * j + lane % 4 * 2;
      *reinterpret_cast<Piece<Sum, 2>*>(to) = {sums_[4 * j], sums_[4 * j + 1]};
      *reinterpret_cast<Piece<Sum, 2>*>(to + 8 * (columns + 4)) = {sums_[4 * j + 2], sums_[4 * j + 3]};
    }
  }

 protected:
  static constexpr int block = 64 * depth;  // elements of 64 rows where they lie along i

  template <bool a_along_rows, bool b_along_rows>
  DNN_DEVICE void multiply(const E* a, const E* b) {
    const int half = static_cast<int>(threadIdx.x) / 128;
    const cu::SwizzledMatrix left{a + half * block, 1024, a_along_rows ? block * 2 : 0};
    const cu::SwizzledMatrix right{b, 1024, b_along_rows ? block * 2 : 0};
    products_.begin();
    DNN_UNROLL
    for (int p = 0; p < depth; p += 16) {
      products_.template multiply<E, a_along_rows, b_along_rows>(sums_, left.from(a_along_rows ? p * 128 : p * 2),
                                                                 right.from(b_along_rows ? p * 128 : p * 2));
    }
    products_.commit();
  }

  cu::WarpgroupProducts products_;
  float sums_[64] = {};
};

/// A StridedOperand for the copy engine.
template <class E>
struct TransferredOperand {
  using Value = E;
  static constexpr bool dense = true;

  cu::TensorMap map;
  bool depth_first;
  bool repeats;  ///< the same matrix for every batch

  /// Whether the copy engine takes x, `depth` deep.
  static bool takes(const StridedOperand<E>& x, std::int64_t depth, const BatchAxes& batch) {
    return x.vectors && depth > 0 && x.rows <= max_elements && batch.count <= 1 && batch.size() <= max_elements;
  }
  static TransferredOperand of(const StridedOperand<E>& x, std::int64_t depth, const BatchAxes& batch) {
    const bool repeats = batch.count == 0 || x.batch_strides[0] == 0;
    const auto [columns, rows] = x.depth_first ? std::pair(depth, x.rows) : std::pair(x.rows, depth);
    const auto row = x.depth_first ? x.row : x.column;
    return {cu::TensorMap::of_16bit(x.data, columns, rows, repeats ? 1 : batch.sizes[0], row,
                                    repeats ? row : x.batch_strides[0]),
            x.depth_first, repeats};
  }

  /// 128 rows from i on, 64 deep from p on.
  DNN_DEVICE void copy(E* to, cu::TransferBarrier& barrier, int i, int p, int batch) const {
    DNN_UNROLL
    for (int h = 0; h < 128; h += cu::TensorMap::box) {
      map.copy_box(to + h * 64, barrier, depth_first ? p : i + h, depth_first ? i + h : p, repeats ? 0 : batch);
    }
  }
};

/// The warps of WarpgroupEngine, and one more that fills a ring of slices for them.
template <class E>
struct TransferEngine : WarpgroupEngine<E> {
  using Base = WarpgroupEngine<E>;
  using Operand = TransferredOperand<E>;
  using Base::stages, Base::depth, Base::operand_elements;
  static constexpr bool transfers = true;
  static constexpr int readers = Base::threads / 32, threads = Base::threads + 32;

  /// Adds the products of all slices, of the tile at `row`, `column` from `begin` on. `slices` is their number,
  /// `shared` the place for `stages` of them. Each has a barrier for when it is there (`full`), which a thread and the
  /// copy engine report to, and one for when it may be overwritten (`empty`), which the warps that read it report to.
  DNN_DEVICE void multiply_slices(const Operand& a, const Operand& b, E* shared, int row, int column, int begin,
                                  int slices, int batch) {
    DNN_SHARED(cu::TransferBarrier, full, [stages]);
    DNN_SHARED(cu::TransferBarrier, empty, [stages]);
    const int warp = static_cast<int>(threadIdx.x) / 32;
    if (threadIdx.x == 0) {
      for (int stage = 0; stage < stages; ++stage) {
        full[stage].init(1);
        empty[stage].init(readers);
      }
      cu::TransferBarrier::publish();
    }
    __syncthreads();

    const auto slice = [&](int i) { return shared + i % stages * 2 * operand_elements; };
    if (warp < readers) {
      for (int i = 0; i < slices; ++i) {
        full[i % stages].wait(i / stages % 2);
        Base::multiply(slice(i), a.depth_first, slice(i) + operand_elements, b.depth_first);
        this->products_.template wait<1>();  // slice i - 1 has been read
        if (i > 0 && cu::lane() == 0) empty[(i - 1) % stages].arrive();
      }
      Base::settle();
    } else if (cu::lane() == 0) {
      for (int i = 0; i < slices; ++i) {
        empty[i % stages].wait((i / stages + 1) % 2);
        full[i % stages].arrive_expecting(4 * cu::TensorMap::box_bytes);
        a.copy(slice(i), full[i % stages], row, begin + i * depth, batch);
        b.copy(slice(i) + operand_elements, full[i % stages], column, begin + i * depth, batch);
      }
    }
  }
};

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
