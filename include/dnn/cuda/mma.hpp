/// Tensor cores and asynchronous copies to shared memory, as functions.
///
/// Each is the PTX instruction where there is one (sm_80 and later), and otherwise the same on plain code: that is what
/// the emulation and older GPUs run. Fragments are those of `mma.sync`: PTX ISA, "Matrix fragments for mma.m16n8k16".
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if DNN_EMULATED
#include <utility>
#include <vector>
#endif

#include "dnn/core/half.hpp"
#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/warp.hpp"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define DNN_TENSOR_CORES 1
#else
#define DNN_TENSOR_CORES 0
#endif

namespace dnn::inline DNN_ABI::cu {

#if defined(__CUDACC__)
/// A pointer to shared memory as instructions take it.
DNN_DEVICE inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}
#endif

/// Copies from global to shared memory that a thread has under way.
///
///     copies.copy<16>(to, from, valid);  ...  copies.commit();   // a group
///     copies.wait<1>();                                          // all groups but the youngest have arrived
///     __syncthreads();                                           // ... those of the other threads, too
///
/// The emulation copies as late as is allowed, so that a missing `wait` shows.
class AsyncCopies {
 public:
  /// Copies the first `valid` of `bytes` (4, 8 or 16, aligned) and fills up with zeros. `from` may be anything when
  /// `valid` is 0.
  template <int bytes>
  DNN_DEVICE void copy(void* to, const void* from, int valid) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#if DNN_TENSOR_CORES
    if constexpr (bytes == 16) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid)
                   : "memory");
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(bytes),
                   "r"(valid)
                   : "memory");
    }
#elif DNN_EMULATED
    std::memset(to, 0xff, bytes);
    pending_.push_back({to, from, bytes, valid});
#else
    copy_now<bytes>(to, from, valid);
#endif
  }

  DNN_DEVICE void commit() {
#if DNN_TENSOR_CORES
    asm volatile("cp.async.commit_group;" ::: "memory");
#elif DNN_EMULATED
    groups_.push_back(std::move(pending_));
    pending_.clear();
#endif
  }

  /// Waits until at most `groups` groups are under way.
  template <int groups>
  DNN_DEVICE void wait() {
#if DNN_TENSOR_CORES
    asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#elif DNN_EMULATED
    while (groups_.size() > groups) {
      for (const Pending& p : groups_.front()) {
        std::memset(p.to, 0, static_cast<std::size_t>(p.bytes));
        if (p.valid > 0) std::memcpy(p.to, p.from, static_cast<std::size_t>(p.valid));
      }
      groups_.erase(groups_.begin());
    }
#endif
  }

 private:
#if DNN_EMULATED
  struct Pending {
    void* to;
    const void* from;
    int bytes, valid;
  };
  std::vector<Pending> pending_;
  std::vector<std::vector<Pending>> groups_;  // the oldest first
#else
  template <int bytes>
  DNN_DEVICE static void copy_now(void* to, const void* from, int valid) {
    using Word = std::conditional_t<bytes == 4, std::uint32_t, std::uint64_t>;
    constexpr int size = static_cast<int>(sizeof(Word));
    if (valid == bytes) {
      for (int i = 0; i < bytes / size; ++i) static_cast<Word*>(to)[i] = static_cast<const Word*>(from)[i];
    } else {
      for (int i = 0; i < bytes; ++i) {
        static_cast<unsigned char*>(to)[i] = i < valid ? static_cast<const unsigned char*>(from)[i] : 0;
      }
    }
  }
#endif
};

/// Four 8 x 8 matrices of 16-bit elements (or 8 x 4 of 32 bits) from shared memory. Lane 8 j + r gives the address of
/// row r of matrix j, 16 bytes, aligned; lane l receives 32 bits of each: the pair l % 4 of row l / 4, or,
/// `transposed`, the 16-bit elements 2 (l % 4) and the next of column l / 4.
template <bool transposed>
DNN_DEVICE void load_matrices(std::uint32_t (&out)[4], const void* row) {
#if DNN_TENSOR_CORES
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(row)));
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(row)));
  }
#else
  const int own = lane();
  const auto address = reinterpret_cast<std::uint64_t>(row);
  for (int j = 0; j < 4; ++j) {
    if constexpr (transposed) {
      const int r = 8 * j + 2 * (own % 4);
      const auto* first = reinterpret_cast<const std::uint16_t*>(shuffle(address, r));
      const auto* second = reinterpret_cast<const std::uint16_t*>(shuffle(address, r + 1));
      out[j] = first[own / 4] | static_cast<std::uint32_t>(second[own / 4]) << 16;
    } else {
      out[j] = reinterpret_cast<const std::uint32_t*>(shuffle(address, 8 * j + own / 4))[own % 4];
    }
  }
#endif
}

/// A float as tensor cores take it: 10 bits of mantissa, rounded to nearest, halves away from zero.
DNN_DEVICE inline std::uint32_t to_tf32(float x) {
#if DNN_TENSOR_CORES
  std::uint32_t out;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(out) : "f"(x));
  return out;
#else
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
#endif
}

/// d += a b on a warp: a is 16 x 32 bytes, b is 32 bytes x 8, d is 16 x 8; `Element` is float16, bfloat16, or float,
/// which stands for TF32.
template <class Element>
DNN_DEVICE void multiply_fragments(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
#if DNN_TENSOR_CORES
#define DNN_MMA(shape_and_types)                                                                             \
  asm("mma.sync.aligned." shape_and_types " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                       \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))
  if constexpr (std::is_same_v<Element, Float16>) DNN_MMA("m16n8k16.row.col.f32.f16.f16.f32");
  else if constexpr (std::is_same_v<Element, BFloat16>) DNN_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  else DNN_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
#undef DNN_MMA
#else
  const auto dot = [](std::uint32_t x, std::uint32_t y) {
    if constexpr (std::is_same_v<Element, float>) {
      return std::bit_cast<float>(x & 0xffffe000u) * std::bit_cast<float>(y & 0xffffe000u);
    } else {
      const auto part = [](std::uint32_t word, int half) {
        Element e;
        e.bits = static_cast<std::uint16_t>(word >> (16 * half));
        return static_cast<float>(e);
      };
      return part(x, 0) * part(y, 0) + part(x, 1) * part(y, 1);
    }
  };
  // Lane 4 g + s holds the words s and 4 + s of rows g and g + 8 of a, and of column g of b.
  const int own = lane(), row = own / 4 * 4, column = own % 4 * 8;
  for (int s = 0; s < 4; ++s) {
    std::uint32_t rows[4], columns[2][2];
    for (int r = 0; r < 4; ++r) rows[r] = shuffle(a[r], row + s);
    for (int c = 0; c < 2; ++c) {
      columns[c][0] = shuffle(b0, column + 4 * c + s);
      columns[c][1] = shuffle(b1, column + 4 * c + s);
    }
    for (int c = 0; c < 2; ++c) {
      d[c] += dot(rows[0], columns[c][0]) + dot(rows[2], columns[c][1]);
      d[2 + c] += dot(rows[1], columns[c][0]) + dot(rows[3], columns[c][1]);
    }
  }
#endif
}

}  // namespace dnn::inline DNN_ABI::cu

#endif
