/// A loop over independent indices: threads of the CPU, or of the GPU when that is the current device.
#pragma once

#include <cstdint>
#include <string_view>

#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/for_each_index.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

/// Calls `f(i)` for every i from 0 to n - 1, in any order, on the current device. F is a struct of pointers and numbers
/// with `DNN_HD void operator()(std::int64_t i) const`; `name` stands in messages about the GPU. On the CPU, at least
/// `grain` indices go to a thread.
template <class F>
void for_each_index([[maybe_unused]] std::string_view name, std::int64_t n, std::int64_t grain, const F& f) {
#if DNN_CUDA
  if (on_gpu()) return gpu::for_each_index(name, n, f);
#endif
  const auto loop = [](void* functor, std::int64_t begin, std::int64_t end) {
    const F own = *static_cast<const F*>(functor);
    for (auto i = begin; i < end; ++i) own(i);
  };
  detail::run_in_pieces(n, grain, loop, const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace dnn::inline DNN_ABI::kernels
