/// Products of a warpgroup (128 threads) on operands in shared memory: `wgmma`, which only sm_90a has.
///
/// The portable branch multiplies what the descriptors, as PTX ISA describes them, say is in shared memory, so that the
/// emulation proves layouts and loops. Whether the bits of a descriptor say to the hardware what they are meant to say,
/// only a GPU can tell: no GPU has run this header yet.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>
#include <type_traits>

#if DNN_EMULATED
#include <utility>
#include <vector>
#endif

#include "dnn/core/half.hpp"
#include "dnn/cuda/mma.hpp"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define DNN_WGMMA 1
#else
#define DNN_WGMMA 0
#endif

namespace dnn::inline DNN_ABI::cu {

/// A matrix x(i, p) of 16-bit elements in shared memory with 128-byte swizzle: rows of 128 bytes, in groups of eight of
/// which 16-byte chunk c of row r lies at place c ^ r. From 1024-byte boundaries on.
///
/// Along the depth ("K-major"), a row holds 64 p of one i, and groups of 8 i are `group` bytes apart. Along i
/// ("MN-major"), a row holds 64 i of one p; groups of 8 p are `group` bytes apart, blocks of 64 i `block` bytes.
struct SwizzledMatrix {
  const void* start;
  int group = 1024, block = 0;

  /// The same matrix from another byte on, a multiple of 16 within its rows or of 1024.
  DNN_DEVICE SwizzledMatrix from(int bytes) const {
    return {static_cast<const unsigned char*>(start) + bytes, group, block};
  }

#if DNN_WGMMA
  DNN_DEVICE std::uint64_t descriptor() const {
    const auto field = [](std::uint32_t bytes) { return static_cast<std::uint64_t>((bytes & 0x3ffff) >> 4); };
    const auto leading = block == 0 ? std::uint64_t{1} : field(static_cast<std::uint32_t>(block));
    return field(shared_address(start)) | leading << 16 | field(static_cast<std::uint32_t>(group)) << 32 |
           std::uint64_t{1} << 62;
  }
#else
  template <class Element, bool along_rows>
  DNN_DEVICE float at(int i, int p) const {
    const auto logical =
        reinterpret_cast<std::uintptr_t>(start) +
        static_cast<std::uintptr_t>(along_rows ? i / 64 * block + p / 8 * group + p % 8 * 128 + i % 64 * 2
                                               : i / 8 * group + i % 8 * 128 + p * 2);
    return static_cast<float>(*reinterpret_cast<const Element*>(logical ^ (logical >> 7 & 7) << 4));
  }
#endif
};

/// Makes what this thread has written to shared memory visible to `wgmma` and to the copy engine.
DNN_DEVICE inline void fence_shared_for_async() {
#if DNN_WGMMA
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

/// Products that a warpgroup has under way. All of its threads call the functions, together.
///
///     products.begin();  products.multiply<...>(sums, a, b);  ...  products.commit();   // a group
///     products.wait<1>();                           // all groups but the youngest are done with shared memory
///     products.finish(sums);                        // all are done, and the sums may be read
///
/// The emulation multiplies as late as is allowed, so that a missing `wait` shows.
class WarpgroupProducts {
 public:
  /// Before the first product of a group: the threads have written what it reads.
  DNN_DEVICE static void begin() {
#if DNN_WGMMA
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
  }

  /// d += a b^T for a (64 x 16) and b (128 x 16): d[4 j + 2 h + e] of a lane is row 16 warp + 8 h + lane / 4, column
  /// 8 j + 2 (lane % 4) + e. `a_along_rows` and `b_along_rows`: as SwizzledMatrix says.
  template <class Element, bool a_along_rows, bool b_along_rows>
  DNN_DEVICE void multiply(float (&d)[64], const SwizzledMatrix& a, const SwizzledMatrix& b) {
    static_assert(sizeof(Element) == 2);
#if DNN_WGMMA
#define DNN_F4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define DNN_F16(i) DNN_F4(i), DNN_F4(i + 4), DNN_F4(i + 8), DNN_F4(i + 12)
#define DNN_WGMMA_OF(type)                                                                                     \
  asm volatile(                                                                                                \
      "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type                                             \
      " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
      "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, "   \
      "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "   \
      "%62, %63}, %64, %65, 1, 1, 1, %66, %67;"                                                                \
      : DNN_F16(0), DNN_F16(16), DNN_F16(32), DNN_F16(48)                                                      \
      : "l"(a.descriptor()), "l"(b.descriptor()), "n"(a_along_rows ? 1 : 0), "n"(b_along_rows ? 1 : 0))
    if constexpr (std::is_same_v<Element, Float16>) DNN_WGMMA_OF("f16");
    else DNN_WGMMA_OF("bf16");
#undef DNN_WGMMA_OF
#undef DNN_F16
#undef DNN_F4
#elif DNN_EMULATED
    pending_.push_back({&d, a, b, &multiply_now<Element, a_along_rows, b_along_rows>});
#else
    multiply_now<Element, a_along_rows, b_along_rows>(d, a, b);
#endif
  }

  DNN_DEVICE void commit() {
#if DNN_WGMMA
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#elif DNN_EMULATED
    groups_.push_back(std::move(pending_));
    pending_.clear();
#endif
  }

  /// Waits until at most `groups` groups are under way.
  template <int groups>
  DNN_DEVICE void wait() {
#if DNN_WGMMA
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
#elif DNN_EMULATED
    while (groups_.size() > groups) {
      for (const Pending& p : groups_.front()) p.multiply(*p.d, p.a, p.b);
      groups_.erase(groups_.begin());
    }
    sync_warp();  // as all that is `aligned`
#endif
  }

  template <int count>
  DNN_DEVICE void finish(float (&sums)[count]) {
    wait<0>();
#if DNN_WGMMA
    for (int i = 0; i < count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
#else
    static_cast<void>(sums);
#endif
  }

 private:
#if !DNN_WGMMA
  template <class Element, bool a_along_rows, bool b_along_rows>
  DNN_DEVICE static void multiply_now(float (&d)[64], const SwizzledMatrix& a, const SwizzledMatrix& b) {
    const int own = lane(), row = static_cast<int>(threadIdx.x) / 32 % 4 * 16 + own / 4;
    for (int h = 0; h < 2; ++h) {
      float left[16];
      for (int p = 0; p < 16; ++p) left[p] = a.template at<Element, a_along_rows>(row + 8 * h, p);
      for (int j = 0; j < 16; ++j) {
        for (int e = 0; e < 2; ++e) {
          float& sum = d[4 * j + 2 * h + e];
          for (int p = 0; p < 16; ++p) {
            sum += left[p] * b.template at<Element, b_along_rows>(8 * j + own % 4 * 2 + e, p);
          }
        }
      }
    }
  }
#endif
#if DNN_EMULATED
  struct Pending {
    float (*d)[64];
    SwizzledMatrix a, b;
    void (*multiply)(float (&)[64], const SwizzledMatrix&, const SwizzledMatrix&);
  };
  std::vector<Pending> pending_;
  std::vector<std::vector<Pending>> groups_;  // the oldest first
#endif
};

}  // namespace dnn::inline DNN_ABI::cu

#endif
