/// Passes that change arrays in place: an optimizer's update of a parameter, a hook's change of a gradient.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/convert.hpp"
#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/update.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

inline constexpr std::size_t max_update_states = 3;
inline constexpr std::int64_t update_grain = 16384;

/// `packs` registers of `target` and of each state, from as many of `source`.
using UpdateBlock = void (*)(const void* f, void* target, const void* source, void* const* states, std::int64_t packs);

/// The loop of one formula; the end is the driver's business.
template <class T, class F, std::size_t... I>
void update_block(const void* f_pointer, void* target_pointer, const void* source_pointer,
                  [[maybe_unused]] void* const* state_pointers, std::int64_t packs) {
  const F f = *static_cast<const F*>(f_pointer);
  T* const target = static_cast<T*>(target_pointer);
  const T* const source = static_cast<const T*>(source_pointer);
  [[maybe_unused]] std::array<T*, sizeof...(I)> states{static_cast<T*>(state_pointers[I])...};
  [[maybe_unused]] std::array<Pack<T>, sizeof...(I)> s;
  for (std::int64_t i = 0, n = packs * Pack<T>::width; i < n; i += Pack<T>::width) {
    Pack<T> p = Pack<T>::load(target + i);
    ((s[I] = Pack<T>::load(states[I] + i)), ...);
    f(p, Pack<T>::load(source + i), s[I]...);
    p.store(target + i);
    (s[I].store(states[I] + i), ...);
  }
}

/// n elements of a compute type: whole registers, then one that is filled up with ones.
inline void update_packs(UpdateBlock block, const void* f, DType compute, void* target, const void* source,
                         void* const* states, std::size_t state_count, std::int64_t n) {
  const std::size_t item = itemsize(compute);
  const std::int64_t packs = n * static_cast<std::int64_t>(item) / simd_bytes;
  if (packs > 0) block(f, target, source, states, packs);
  const auto done = static_cast<std::size_t>(packs * simd_bytes), rest = static_cast<std::size_t>(n) * item - done;
  if (rest == 0) return;
  alignas(simd_bytes) std::byte ends[max_update_states + 2][simd_bytes];
  void* state_ends[max_update_states];
  const auto load = [&](std::byte* end, const void* from) {
    detail::fill_register(end, detail::one_of(compute), item);
    std::memcpy(end, static_cast<const std::byte*>(from) + done, rest);
  };
  const auto store = [&](void* to, const std::byte* end) {
    std::memcpy(static_cast<std::byte*>(to) + done, end, rest);
  };
  load(ends[0], target);
  load(ends[1], source);
  for (std::size_t k = 0; k < state_count; ++k) load(ends[k + 2], states[k]), state_ends[k] = ends[k + 2];
  block(f, ends[0], ends[1], state_ends, 1);
  store(target, ends[0]);
  for (std::size_t k = 0; k < state_count; ++k) store(states[k], ends[k + 2]);
}

/// The driver behind `update`: threads, and 16-bit types block by block around float.
inline void update_drive(UpdateBlock block, const void* f, DType dtype, void* target, const void* source,
                         DType source_dtype, void* const* states, std::size_t state_count, std::int64_t n) {
  const auto item = static_cast<std::int64_t>(itemsize(dtype)),
             source_item = static_cast<std::int64_t>(itemsize(source_dtype));
  const auto at = [item](void* p, std::int64_t i) { return static_cast<std::byte*>(p) + i * item; };
  parallel_for(n, update_grain, [&](std::int64_t begin, std::int64_t end) {
    void* pointers[max_update_states] = {};
    if (!is_16bit_float(dtype) && source_dtype == dtype) {
      for (std::size_t k = 0; k < state_count; ++k) pointers[k] = at(states[k], begin);
      return update_packs(block, f, dtype, at(target, begin), static_cast<const std::byte*>(source) + begin * item,
                          pointers, state_count, end - begin);
    }
    constexpr std::int64_t chunk = 256;
    alignas(64) float scratch[max_update_states + 2][chunk];
    for (std::size_t k = 0; k < state_count; ++k) pointers[k] = scratch[k + 2];
    for (std::int64_t i = begin; i < end; i += chunk) {
      const auto count = std::min(chunk, end - i);
      convert(scratch[0], DType::float32, at(target, i), dtype, count);
      convert(scratch[1], DType::float32, static_cast<const std::byte*>(source) + i * source_item, source_dtype, count);
      for (std::size_t k = 0; k < state_count; ++k)
        convert(pointers[k], DType::float32, at(states[k], i), dtype, count);
      update_packs(block, f, DType::float32, scratch[0], scratch[1], pointers, state_count, count);
      convert(at(target, i), dtype, scratch[0], DType::float32, count);
      for (std::size_t k = 0; k < state_count; ++k)
        convert(at(states[k], i), dtype, pointers[k], DType::float32, count);
    }
  });
}

#if DNN_CUDA
using gpu::RecordedPasses, gpu::UpdateBatch;
#else
/// Collects the GPU's updates so that they become one launch; `flush` starts it. Without a GPU there is nothing to do.
struct UpdateBatch {
  const double* skip = nullptr;  ///< where this points to anything but 0, updates change nothing

  void flush() const noexcept {}
};
#endif

/// f(target&, source, state&...) on n elements of a float dtype; target and states are changed in place, in one pass.
/// The source may be of another float dtype, but for float64. On the GPU it begins when `batch` is flushed.
template <std::size_t States, class F>
void update(const F& f, DType dtype, void* target, const void* source, DType source_dtype,
            const std::array<void*, States>& states, std::int64_t n, UpdateBatch& batch) {
  static_assert(States <= max_update_states);
#if DNN_CUDA
  if (on_gpu()) return gpu::update<States>(f, dtype, target, source, source_dtype, states, n, batch);
#endif
  if (batch.skip && *batch.skip != 0) return;
  const auto run = [&]<std::size_t... I>(std::index_sequence<I...>) {
    const UpdateBlock block = dtype == DType::float64 ? &update_block<double, F, I...> : &update_block<float, F, I...>;
    update_drive(block, &f, dtype, target, source, source_dtype, states.data(), States, n);
  };
  run(std::make_index_sequence<States>{});
}

/// Elements of a float dtype.
struct Elements {
  const void* data;
  DType dtype;
  std::int64_t n;
};

namespace detail {
inline double sum_of_squares(const Elements& x) {
  constexpr std::int64_t chunk = 4096;
  std::vector<double> sums(static_cast<std::size_t>((x.n + chunk - 1) / chunk));
  parallel_for(static_cast<std::int64_t>(sums.size()), 8, [&](std::int64_t begin, std::int64_t end) {
    double scratch[chunk];
    for (std::int64_t i = begin; i < end; ++i) {
      const auto count = std::min(chunk, x.n - i * chunk);
      convert(scratch, DType::float64,
              static_cast<const std::byte*>(x.data) + i * chunk * static_cast<std::int64_t>(itemsize(x.dtype)), x.dtype,
              count);
      Pack<double> sum(0);
      std::int64_t k = 0;
      for (; k + Pack<double>::width <= count; k += Pack<double>::width) {
        const auto v = Pack<double>::load(scratch + k);
        sum = sum + v * v;
      }
      double total = 0;
      for (int lane = 0; lane < Pack<double>::width; ++lane) total += sum.v[lane];
      for (; k < count; ++k) total += scratch[k] * scratch[k];
      sums[static_cast<std::size_t>(i)] = total;
    }
  });
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}
}  // namespace detail

/// finish(0, the sum of the squares of all arrays' elements), called once, on the current device. `Finish` is a struct
/// of pointers and numbers with `DNN_HD void operator()(std::int64_t, double) const`. The order of additions does not
/// depend on the threads.
template <class Finish>
void sum_of_squares(std::span<const Elements> arrays, const Finish& finish) {
#if DNN_CUDA
  if (on_gpu()) return gpu::sums_of_squares(arrays, true, finish);
#endif
  double sum = 0;
  for (const auto& array : arrays) sum += detail::sum_of_squares(array);
  finish(std::int64_t{0}, sum);
}
/// finish(k, the sum of the squares of array k's elements) for every array.
template <class Finish>
void sums_of_squares(std::span<const Elements> arrays, const Finish& finish) {
#if DNN_CUDA
  if (on_gpu()) return gpu::sums_of_squares(arrays, false, finish);
#endif
  for (std::size_t k = 0; k < arrays.size(); ++k) {
    finish(static_cast<std::int64_t>(k), detail::sum_of_squares(arrays[k]));
  }
}

}  // namespace dnn::inline DNN_ABI::kernels
