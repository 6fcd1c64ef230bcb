#pragma once

#include "catch.hpp"
#include "dnn/kernels/dispatch.hpp"

/// Calls f once for each instruction set that the processor has, with kernels that use it; just once in a program that
/// knows only one.
template <class F>
void for_every_isa(F f) {
#if DNN_DISPATCH
  using dnn::kernels::Isa;
  const Isa before = dnn::kernels::cpu_isa();
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (isa > dnn::kernels::detail::best_isa()) continue;
    INFO("instruction set " << static_cast<int>(isa));
    dnn::kernels::detail::isa_slot() = isa;
    f();
  }
  dnn::kernels::detail::isa_slot() = before;
#else
  f();
#endif
}
