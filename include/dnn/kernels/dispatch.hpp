/// One program for many processors: kernels that pay for it are compiled for several instruction sets, and the best
/// that the processor has is chosen when the program runs.
///
/// `DNN_DISPATCH` is 1 where that happens: by default for x86-64, unless the program is compiled for AVX-512 already
/// (by -march=native, say); then it does not look at the processor, nor at DNN_CPU_ISA. Define it as 0 to have nothing
/// but what the compiler was told. Each set gives the same bits every time; between sets results differ by rounding,
/// because only some have a fused multiply-add.
///
/// Products choose (tiles.hpp), and what is made of them. Formulas of packs do not: they are compiled where they are
/// written, and Eigen's functions of packets follow the compiler's macros.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "dnn/core/abi.hpp"
#include "dnn/core/error.hpp"

#if !defined(DNN_DISPATCH)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__AVX512F__) && !defined(__CUDACC__)
#define DNN_DISPATCH 1
#else
#define DNN_DISPATCH 0
#endif
#endif

#if DNN_DISPATCH
/// All functions that are defined between them are compiled for an instruction set, but for friends that a class
/// template defines. What touches vectors that are wider than the program's registers has to be there, and be called
/// from there only: GCC takes them apart before it inlines, and passes them in another way.
#define DNN_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define DNN_BEGIN_ISA(set) DNN_PRAGMA(clang attribute push(__attribute__((target(set))), apply_to = function))
#define DNN_END_ISA DNN_PRAGMA(clang attribute pop)
#else
#define DNN_BEGIN_ISA(set) DNN_PRAGMA(GCC push_options) DNN_PRAGMA(GCC target(set))
#define DNN_END_ISA DNN_PRAGMA(GCC pop_options)
#endif

namespace dnn::inline DNN_ABI::kernels {

/// What a kernel may use: what the program is compiled for, AVX2 with FMA, AVX-512 (F, BW, DQ, VL).
enum class Isa { baseline, avx2, avx512 };

namespace detail {

/// The best that the processor has.
inline Isa best_isa() noexcept {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::baseline;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::avx512 : Isa::avx2;
}

/// The one that DNN_CPU_ISA names; throws Error when there is none of that name, or the processor lacks it.
inline Isa isa_named(std::string_view name) {
  constexpr std::string_view names[] = {"baseline", "avx2", "avx512"};
  for (int i = 0; i < 3; ++i) {
    if (name != names[i]) continue;
    if (static_cast<Isa>(i) <= best_isa()) return static_cast<Isa>(i);
    throw Error("[cpu] DNN_CPU_ISA is '" + std::string(name) + "', which this processor lacks");
  }
  throw Error("[cpu] DNN_CPU_ISA is '" + std::string(name) + "', not baseline, avx2 or avx512");
}

inline Isa& isa_slot() {
  static Isa isa = [] {
    const char* name = std::getenv("DNN_CPU_ISA");
    return name && *name ? isa_named(name) : best_isa();
  }();
  return isa;
}

}  // namespace detail

/// What kernels use: `DNN_CPU_ISA` (baseline, avx2 or avx512), or the best that the processor has. The first use throws
/// Error when DNN_CPU_ISA is set to anything else.
inline Isa cpu_isa() { return detail::isa_slot(); }

}  // namespace dnn::inline DNN_ABI::kernels
#endif
