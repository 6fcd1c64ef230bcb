/// Passes that change arrays in place: an optimizer's update of a parameter, a hook's change of a gradient.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "dnn/core/dtype.hpp"
#include "dnn/kernels/convert.hpp"
#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"

namespace dnn::inline DNN_ABI::kernels {

inline constexpr std::size_t max_update_states = 3;
inline constexpr std::int64_t update_grain = 16384;

/// n elements of `target` and of each state, from n elements of `source`.
using UpdateBlock = void (*)(const void* f, void* target, const void* source, void* const* states, std::int64_t n);

template <class T, class F, std::size_t... I>
void update_block(const void* f_pointer, void* target_pointer, const void* source_pointer,
                  [[maybe_unused]] void* const* state_pointers, std::int64_t n) {
  constexpr int width = Pack<T>::width;
  const F f = *static_cast<const F*>(f_pointer);
  T* const target = static_cast<T*>(target_pointer);
  const T* const source = static_cast<const T*>(source_pointer);
  [[maybe_unused]] std::array<T*, sizeof...(I)> states{static_cast<T*>(state_pointers[I])...};
  [[maybe_unused]] std::array<Pack<T>, sizeof...(I)> s;
  std::int64_t i = 0;
  for (; i + width <= n; i += width) {
    Pack<T> p = Pack<T>::load(target + i);
    ((s[I] = Pack<T>::load(states[I] + i)), ...);
    f(p, Pack<T>::load(source + i), s[I]...);
    p.store(target + i);
    (s[I].store(states[I] + i), ...);
  }
  if (i < n) {
    const auto bytes = static_cast<std::size_t>(n - i) * sizeof(T);
    Pack<T> p(1), g(1);
    std::memcpy(&p, target + i, bytes);
    std::memcpy(&g, source + i, bytes);
    ((s[I] = Pack<T>(1), std::memcpy(&s[I], states[I] + i, bytes)), ...);
    f(p, g, s[I]...);
    std::memcpy(target + i, &p, bytes);
    (std::memcpy(states[I] + i, &s[I], bytes), ...);
  }
}

/// The driver behind `update`: threads, and 16-bit types block by block around float.
inline void update_drive(UpdateBlock block, const void* f, DType dtype, void* target, const void* source,
                         void* const* states, std::size_t state_count, std::int64_t n) {
  const auto item = static_cast<std::int64_t>(itemsize(dtype));
  const auto at = [item](void* p, std::int64_t i) { return static_cast<std::byte*>(p) + i * item; };
  parallel_for(n, update_grain, [&](std::int64_t begin, std::int64_t end) {
    void* pointers[max_update_states] = {};
    if (!is_16bit_float(dtype)) {
      for (std::size_t k = 0; k < state_count; ++k) pointers[k] = at(states[k], begin);
      return block(f, at(target, begin), static_cast<const std::byte*>(source) + begin * item, pointers, end - begin);
    }
    constexpr std::int64_t chunk = 256;
    alignas(64) float scratch[max_update_states + 2][chunk];
    for (std::size_t k = 0; k < state_count; ++k) pointers[k] = scratch[k + 2];
    for (std::int64_t i = begin; i < end; i += chunk) {
      const auto count = std::min(chunk, end - i);
      convert(scratch[0], DType::float32, at(target, i), dtype, count);
      convert(scratch[1], DType::float32, static_cast<const std::byte*>(source) + i * item, dtype, count);
      for (std::size_t k = 0; k < state_count; ++k)
        convert(pointers[k], DType::float32, at(states[k], i), dtype, count);
      block(f, scratch[0], scratch[1], pointers, count);
      convert(at(target, i), dtype, scratch[0], DType::float32, count);
      for (std::size_t k = 0; k < state_count; ++k)
        convert(at(states[k], i), dtype, pointers[k], DType::float32, count);
    }
  });
}

/// f(target&, source, state&...) on n elements of a float dtype; target and states are changed in place, in one pass.
template <std::size_t States, class F>
void update(const F& f, DType dtype, void* target, const void* source, const std::array<void*, States>& states,
            std::int64_t n) {
  static_assert(States <= max_update_states);
  const auto run = [&]<std::size_t... I>(std::index_sequence<I...>) {
    const UpdateBlock block = dtype == DType::float64 ? &update_block<double, F, I...> : &update_block<float, F, I...>;
    update_drive(block, &f, dtype, target, source, states.data(), States, n);
  };
  run(std::make_index_sequence<States>{});
}

/// The sum of the squares of n elements of a float dtype. The order of additions does not depend on the threads.
inline double sum_of_squares(const void* x, DType dtype, std::int64_t n) {
  constexpr std::int64_t chunk = 4096;
  std::vector<double> sums(static_cast<std::size_t>((n + chunk - 1) / chunk));
  parallel_for(static_cast<std::int64_t>(sums.size()), 8, [&](std::int64_t begin, std::int64_t end) {
    double scratch[chunk];
    for (std::int64_t i = begin; i < end; ++i) {
      const auto count = std::min(chunk, n - i * chunk);
      convert(scratch, DType::float64,
              static_cast<const std::byte*>(x) + i * chunk * static_cast<std::int64_t>(itemsize(dtype)), dtype, count);
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

}  // namespace dnn::inline DNN_ABI::kernels
