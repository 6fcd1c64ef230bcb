/// The engine of Hopper's tensor cores for kernels/gpu/product.hpp: float16 and bfloat16 through `wgmma`.
///
/// Used where DNN_HOPPER is defined and the GPU has compute capability 9.0; compile for sm_90a. It is opt-in because no
/// GPU has run it: the emulation has, except for how descriptors are encoded.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>

#include "dnn/cuda/wgmma.hpp"
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
    cu::warpgroup_wait(sums_);
    cu::fence_shared_for_warpgroups();
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

 private:
  static constexpr int block = 64 * depth;  // elements of 64 rows where they lie along i

  template <bool a_along_rows, bool b_along_rows>
  DNN_DEVICE void multiply(const E* a, const E* b) {
    const int half = static_cast<int>(threadIdx.x) / 128;
    const cu::SwizzledMatrix left{a + half * block, 1024, a_along_rows ? block * 2 : 0};
    const cu::SwizzledMatrix right{b, 1024, b_along_rows ? block * 2 : 0};
    cu::warpgroup_arrive();
    DNN_UNROLL
    for (int p = 0; p < depth; p += 16) {
      cu::multiply_warpgroup<E, a_along_rows, b_along_rows>(sums_, left.from(a_along_rows ? p * 128 : p * 2),
                                                            right.from(b_along_rows ? p * 128 : p * 2));
    }
    cu::warpgroup_commit();
  }

  float sums_[64] = {};
};

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
