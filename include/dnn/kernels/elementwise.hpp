/// Elementwise kernels: `out[i] = f(in0[i], in1[i], ...)` with broadcasting.
///
/// Per op and compute type only a tight loop over contiguous blocks is instantiated (`elementwise_block`). Everything
/// else — collapsing axes, broadcasting, parallelism, operands of other dtypes — is one non-template driver.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "dnn/core/dtype.hpp"
#include "dnn/core/shape.hpp"
#include "dnn/kernels/broadcast.hpp"
#include "dnn/kernels/convert.hpp"
#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/parallel_for.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/elementwise.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

inline constexpr std::int64_t elementwise_grain = 32768;

/// `packs` registers of results. Operand k goes on by `advance[k]` elements after each: a register, or 0.
using ElementwiseBlock = void (*)(const void* f, void* out, const void* const* in, const std::int64_t* advance,
                                  std::int64_t packs);

/// The loop of one op. Ends and broadcast operands are the driver's business: compiled once, not once per op.
template <class T, class F, std::size_t... I>
void elementwise_block(const void* f_pointer, void* out_pointer, const void* const* in_pointers,
                       const std::int64_t* advance, std::int64_t packs) {
  const F& f = *static_cast<const F*>(f_pointer);
  T* out = static_cast<T*>(out_pointer);
  const T* in[] = {static_cast<const T*>(in_pointers[I])...};
  const std::int64_t step[] = {advance[I]...};
  for (; packs > 0; --packs, out += Pack<T>::width) {
    f(Pack<T>::load(in[I])...).store(out);
    ((in[I] += step[I]), ...);
  }
}

namespace detail {

/// n elements of one type: whole registers, then one that is filled up with ones. An operand whose step is 0 becomes a
/// register that is read again and again.
inline void elementwise_packs(ElementwiseBlock block, const void* f, DType compute, void* out, const void* const* in,
                              const std::int64_t* steps, std::size_t arity, std::int64_t n) {
  const std::size_t item = itemsize(compute);
  const std::int64_t width = simd_bytes / static_cast<std::int64_t>(item), packs = n / width;
  alignas(simd_bytes) std::byte splats[max_operands][simd_bytes];
  const void* from[max_operands] = {};
  std::int64_t advance[max_operands] = {};
  for (std::size_t k = 0; k < arity; ++k) {
    advance[k] = steps[k] * width;
    from[k] = in[k];
    if (steps[k] != 0) continue;
    fill_register(splats[k], in[k], item);
    from[k] = splats[k];
  }
  if (packs > 0) block(f, out, from, advance, packs);
  const auto done = static_cast<std::size_t>(packs * simd_bytes), rest = static_cast<std::size_t>(n) * item - done;
  if (rest == 0) return;
  for (std::size_t k = 0; k < arity; ++k) {
    if (steps[k] == 0) continue;
    fill_register(splats[k], one_of(compute), item);
    std::memcpy(splats[k], static_cast<const std::byte*>(in[k]) + done, rest);
    from[k] = splats[k];
  }
  alignas(simd_bytes) std::byte result[simd_bytes];
  block(f, result, from, advance, 1);
  std::memcpy(static_cast<std::byte*>(out) + done, result, rest);
}

/// One contiguous run: directly where every dtype is the compute type, otherwise block by block through scratch.
inline void elementwise_run(ElementwiseBlock block, const void* f, DType compute, std::byte* out, DType out_dtype,
                            std::span<const std::byte* const> in, std::span<const Operand> operands,
                            const std::int64_t* steps, std::int64_t n) {
  bool direct = out_dtype == compute;
  for (const auto& operand : operands) direct = direct && operand.dtype == compute;
  const void* pointers[max_operands];
  if (direct) {
    std::copy(in.begin(), in.end(), pointers);
    return elementwise_packs(block, f, compute, out, pointers, steps, operands.size(), n);
  }
  constexpr std::int64_t chunk = 256;
  alignas(64) std::byte scratch[max_operands + 1][chunk * 8];
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    const auto count = std::min(chunk, n - begin);
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const auto* source = in[k] + begin * steps[k] * static_cast<std::int64_t>(itemsize(operands[k].dtype));
      if (operands[k].dtype == compute) {
        pointers[k] = source;
      } else {
        convert(scratch[k], compute, source, operands[k].dtype, steps[k] == 0 ? 1 : count);
        pointers[k] = scratch[k];
      }
    }
    std::byte* target = out + begin * static_cast<std::int64_t>(itemsize(out_dtype));
    if (out_dtype == compute) {
      elementwise_packs(block, f, compute, target, pointers, steps, operands.size(), count);
    } else {
      elementwise_packs(block, f, compute, scratch[max_operands], pointers, steps, operands.size(), count);
      convert(target, out_dtype, scratch[max_operands], compute, count);
    }
  }
}

}  // namespace detail

/// The driver behind `elementwise`. `shape` is the broadcast shape; `out` holds its elements contiguously.
inline void elementwise_drive(ElementwiseBlock block, const void* f, DType compute, void* out, DType out_dtype,
                              const Shape& shape, std::span<const Operand> operands) {
  auto* out_bytes = static_cast<std::byte*>(out);
  const auto out_item = static_cast<std::int64_t>(itemsize(out_dtype));
  const auto n = shape.size();
  if (n == 0) return;
  if (n <= elementwise_grain &&
      std::all_of(operands.begin(), operands.end(), [&](const Operand& o) { return *o.shape == shape; })) {
    // Small and nothing to broadcast: what the overhead of small networks consists of.
    constexpr std::int64_t ones[max_operands] = {1, 1, 1, 1, 1, 1};
    const std::byte* in[max_operands];
    for (std::size_t k = 0; k < operands.size(); ++k) in[k] = static_cast<const std::byte*>(operands[k].data);
    return detail::elementwise_run(block, f, compute, out_bytes, out_dtype, {in, operands.size()}, operands, ones, n);
  }
  const auto c = detail::collapse(shape, operands);
  const auto inner = c.sizes[static_cast<std::size_t>(c.ndim - 1)];
  const std::size_t arity = operands.size();
  std::int64_t steps[max_operands];
  for (std::size_t k = 0; k < arity; ++k) steps[k] = c.strides[k][static_cast<std::size_t>(c.ndim - 1)];

  // [begin, end) of the flattened output: whole and partial inner rows.
  const auto range = [&](std::int64_t begin, std::int64_t end) {
    const std::byte* in[max_operands];
    while (begin < end) {
      const auto row = begin / inner, column = begin % inner;
      const auto count = std::min(inner - column, end - begin);
      for (std::size_t k = 0; k < arity; ++k) {
        std::int64_t offset = column * steps[k], rest = row;
        for (int axis = c.ndim - 2; axis >= 0; --axis) {
          const auto a = static_cast<std::size_t>(axis);
          offset += (rest % c.sizes[a]) * c.strides[k][a];
          rest /= c.sizes[a];
        }
        in[k] = static_cast<const std::byte*>(operands[k].data) +
                offset * static_cast<std::int64_t>(itemsize(operands[k].dtype));
      }
      detail::elementwise_run(block, f, compute, out_bytes + begin * out_item, out_dtype, {in, arity}, operands, steps,
                              count);
      begin += count;
    }
  };
  parallel_for(n, elementwise_grain, range);
}

/// A formula compiled for one compute type.
struct ElementwiseLoop {
  ElementwiseBlock block = nullptr;
#if DNN_CUDA
  gpu::ElementwiseLaunch launch = nullptr;
#endif

  void run(const void* f, DType compute, void* out, DType out_dtype, const Shape& shape,
           std::span<const Operand> operands) const {
#if DNN_CUDA
    if (on_gpu()) return gpu::elementwise(launch, f, compute, out, out_dtype, shape, operands);
#endif
    elementwise_drive(block, f, compute, out, out_dtype, shape, operands);
  }
};

template <class T, class F, std::size_t... I>
constexpr ElementwiseLoop elementwise_loop(std::index_sequence<I...>) noexcept {
  return {
    &elementwise_block<T, F, I...>,
#if DNN_CUDA
        &gpu::launch_elementwise<T, F, I...>
#endif
  };
}

/// A formula compiled for the types arithmetic happens in. `integer` is null where integers have no meaning.
struct ElementwiseKernel {
  ElementwiseLoop single, real, integer;

  /// out = f(operands...). Operands and the result are converted from and to their dtypes around the compute type:
  /// float for 16-bit floats, int64 for the integers and bool.
  void run(const void* f, void* out, DType out_dtype, const Shape& shape, std::span<const Operand> operands) const {
    const DType dtype = operands[0].dtype;
    if (dtype == DType::float64) return real.run(f, DType::float64, out, out_dtype, shape, operands);
    if (!is_float(dtype)) return integer.run(f, DType::int64, out, out_dtype, shape, operands);
    single.run(f, DType::float32, out, out_dtype, shape, operands);
  }
};

/// The kernel of F, a callable on packs with `Arity` arguments.
template <class F, std::size_t Arity, bool Integers>
constexpr ElementwiseKernel elementwise_kernel() noexcept {
  constexpr std::make_index_sequence<Arity> all;
  ElementwiseKernel kernel{elementwise_loop<float, F>(all), elementwise_loop<double, F>(all), {}};
  if constexpr (Integers) kernel.integer = elementwise_loop<std::int64_t, F>(all);
  return kernel;
}

/// out = f(operands...), for operands of float dtypes; the first one's dtype is computed in.
template <class F, std::size_t Arity>
void elementwise(const F& f, void* out, DType out_dtype, const Shape& shape,
                 const std::array<Operand, Arity>& operands) {
  elementwise_kernel<F, Arity, false>().run(&f, out, out_dtype, shape, operands);
}

}  // namespace dnn::inline DNN_ABI::kernels
