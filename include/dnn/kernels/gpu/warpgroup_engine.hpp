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

  template <class Operand>
  class Loader {
   public:
    DNN_DEVICE Loader(const Operand& x, const E* data, std::int64_t first) : x_(x), data_(data), first_(first) {}

    DNN_DEVICE void load(cuda::AsyncCopies& copies, E* to, int begin, int end) const {
      if constexpr (Operand::dense) {
        if (x_.vectors) return load_vectors(copies, to, begin, end);
      }
      const int thread = static_cast<int>(threadIdx.x);
      if (x_.depth_first) {
        const int p = thread % depth;
        const auto at = x_.depth(begin + p, end);
        DNN_NO_UNROLL
        for (int i = thread / depth; i < 128; i += threads / depth) {
          const auto element = Row(x_, data_, first_ + i).find(0, at);
          to[place(i, p / 8) + p % 8] = element.valid ? *element.at : E{};
        }
      } else {
        const int i = thread % 128;
        const Row row(x_, data_, first_ + i);
        DNN_NO_UNROLL
        for (int p = thread / 128; p < depth; p += threads / 128) {
          const auto element = row.find(0, x_.depth(begin + p, end));
          to[i / 64 * block + place(p, i % 64 / 8) + i % 8] = element.valid ? *element.at : E{};
        }
      }
    }

   private:
    using Row = typename Operand::template Rows<1, 1>;

    /// Chunk `chunk` of a row of 128 bytes.
    DNN_DEVICE static int place(int row, int chunk) { return row * 64 + (chunk ^ row % 8) * 8; }

    DNN_DEVICE void load_vectors(cuda::AsyncCopies& copies, E* to, int begin, int end) const {
      const auto bytes = [](std::int64_t left) { return static_cast<int>(left >= 8 ? 8 : left > 0 ? left : 0) * 2; };
      const int thread = static_cast<int>(threadIdx.x);
      if (x_.depth_first) {
        const int chunk = thread % 8, p = begin + 8 * chunk, valid = bytes(end - p);
        DNN_UNROLL
        for (int h = 0; h < 128; h += threads / 8) {
          const int i = thread / 8 + h;
          copies.copy<16>(to + place(i, chunk), data_ + (first_ + i) * x_.row + p, first_ + i < x_.rows ? valid : 0);
        }
      } else {
        const int i = thread % 16 * 8, valid = bytes(x_.rows - first_ - i);
        DNN_NO_UNROLL
        for (int h = 0; h < depth; h += threads / 16) {
          const int p = thread / 16 + h;
          copies.copy<16>(to + i / 64 * block + place(p, i % 64 / 8),
                          data_ + first_ + i + (std::int64_t{begin} + p) * x_.column, begin + p < end ? valid : 0);
        }
      }
    }

    const Operand& x_;
    const E* data_;
    std::int64_t first_;
  };

  /// Products run on while the next copies are started; the one of the slice before must be done when its place is
  /// filled again.
  DNN_DEVICE void settle() {
    cuda::warpgroup_wait(sums_);
    cuda::fence_shared_for_warpgroups();
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
    const cuda::SwizzledMatrix left{a + half * block, 1024, a_along_rows ? block * 2 : 0};
    const cuda::SwizzledMatrix right{b, 1024, b_along_rows ? block * 2 : 0};
    cuda::warpgroup_arrive();
    DNN_UNROLL
    for (int p = 0; p < depth; p += 16) {
      cuda::multiply_warpgroup<E, a_along_rows, b_along_rows>(sums_, left.from(a_along_rows ? p * 128 : p * 2),
                                                              right.from(b_along_rows ? p * 128 : p * 2));
    }
    cuda::warpgroup_commit();
  }

  float sums_[64] = {};
};

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
