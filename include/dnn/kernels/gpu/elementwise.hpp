/// Elementwise kernels of the GPU: two for each functor and compute type. Contiguous float32 and 16-bit operands are
/// read and written four elements at a time; the general kernel broadcasts, and takes operands of any dtypes.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "dnn/core/dtype.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/kernels/broadcast.hpp"
#include "dnn/kernels/gpu/index.hpp"
#include "dnn/kernels/number.hpp"
#include "dnn/kernels/typed.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

inline constexpr int elementwise_threads = 256;

/// Four neighbouring elements, moved as one.
template <class T>
struct alignas(4 * sizeof(T)) Four {
  T v[4];
};

namespace detail {
// Not inlined: a kernel would compile them once more for each of its operands.
DNN_HD [[gnu::noinline]] inline Four<float> widen_four(const void* data, DType dtype, std::int64_t i) {
  Four<float> out;
  if (dtype == DType::float16) {
    const auto narrow = static_cast<const Four<Float16>*>(data)[i];
    for (int k = 0; k < 4; ++k) out.v[k] = static_cast<float>(narrow.v[k]);
  } else {
    const auto narrow = static_cast<const Four<BFloat16>*>(data)[i];
    for (int k = 0; k < 4; ++k) out.v[k] = static_cast<float>(narrow.v[k]);
  }
  return out;
}
DNN_HD [[gnu::noinline]] inline void store_narrowed(void* data, DType dtype, std::int64_t i, Four<float> value) {
  if (dtype == DType::float16) {
    Four<Float16> narrow;
    for (int k = 0; k < 4; ++k) narrow.v[k] = Float16(value.v[k]);
    static_cast<Four<Float16>*>(data)[i] = narrow;
  } else {
    Four<BFloat16> narrow;
    for (int k = 0; k < 4; ++k) narrow.v[k] = BFloat16(value.v[k]);
    static_cast<Four<BFloat16>*>(data)[i] = narrow;
  }
}
}  // namespace detail

/// Elements 4i to 4i + 3 of a float32 or 16-bit array.
DNN_HD inline Four<float> load_four(const void* data, DType dtype, std::int64_t i) {
  if (dtype == DType::float32) return static_cast<const Four<float>*>(data)[i];
  return detail::widen_four(data, dtype, i);
}
DNN_HD inline void store_four(void* data, DType dtype, std::int64_t i, const Four<float>& value) {
  if (dtype == DType::float32) static_cast<Four<float>*>(data)[i] = value;
  else detail::store_narrowed(data, dtype, i, value);
}
/// True where load_four and store_four may be used.
inline bool takes_fours(const void* data, DType dtype) noexcept {
  return (dtype == DType::float32 || is_16bit_float(dtype)) &&
         reinterpret_cast<std::uintptr_t>(data) % (4 * itemsize(dtype)) == 0;
}

/// What one launch works on. The last axis is the innermost; strides are in elements, 0 where an operand repeats.
struct ElementwiseArguments {
  void* out = nullptr;
  const void* in[max_operands] = {};
  DType out_dtype = DType::float32;
  DType dtypes[max_operands] = {};
  Index32 n = 0;
  int ndim = 0;
  Divisor sizes[max_ndim] = {};
  Index32 strides[max_operands][max_ndim] = {};
};

template <class T, class F, std::size_t... I>
DNN_KERNEL void elementwise_general(F f, ElementwiseArguments a, std::index_sequence<I...>) {
  for (Index32 i = blockIdx.x * blockDim.x + threadIdx.x; i < a.n; i += gridDim.x * blockDim.x) {
    Index32 offsets[sizeof...(I)] = {}, rest = i;
    DNN_NO_UNROLL
    for (int axis = a.ndim - 1; axis > 0; --axis) {
      const auto [quotient, remainder] = a.sizes[axis].divide(rest);
      ((offsets[I] += remainder * a.strides[I][axis]), ...);
      rest = quotient;
    }
    ((offsets[I] += rest * a.strides[I][0]), ...);
    const Number<T> y = f(Number<T>(load_as<T>(a.in[I], a.dtypes[I], offsets[I]))...);
    store_as<T>(a.out, a.out_dtype, i, y.v);
  }
}

/// One axis; operands go on by one element or stay.
template <class F, std::size_t... I>
DNN_KERNEL void elementwise_fours(F f, ElementwiseArguments a, std::index_sequence<I...>) {
  const Index32 fours = a.n / 4, first = blockIdx.x * blockDim.x + threadIdx.x;
  for (Index32 i = first; i < fours; i += gridDim.x * blockDim.x) {
    Four<float> in[sizeof...(I)], y;
    const auto load = [&](std::size_t k) {
      if (a.strides[k][0] != 0) {
        in[k] = load_four(a.in[k], a.dtypes[k], i);
      } else {
        const float value = load_as<float>(a.in[k], a.dtypes[k], 0);
        in[k] = {{value, value, value, value}};
      }
    };
    (load(I), ...);
    DNN_UNROLL
    for (int j = 0; j < 4; ++j) y.v[j] = Number<float>(f(Number<float>(in[I].v[j])...)).v;
    store_four(a.out, a.out_dtype, i, y);
  }
  if (first < a.n % 4) {
    const Index32 i = fours * 4 + first;
    const Number<float> y = f(Number<float>(load_as<float>(a.in[I], a.dtypes[I], i * a.strides[I][0]))...);
    store_as<float>(a.out, a.out_dtype, i, y.v);
  }
}

/// Starts the kernel of one functor and compute type.
using ElementwiseLaunch = void (*)(const void* f, const ElementwiseArguments& a, bool fours);

template <class T, class F, std::size_t... I>
void launch_elementwise(const void* f_pointer, const ElementwiseArguments& a, [[maybe_unused]] bool fours) {
  const F& f = *static_cast<const F*>(f_pointer);
  constexpr std::index_sequence<I...> all;
  if constexpr (std::is_same_v<T, float>) {
    if (fours) {
      return cu::launch("elementwise", elementwise_fours<F, I...>,
                        {blocks_for(a.n, elementwise_threads, 4), elementwise_threads}, f, a, all);
    }
  }
  cu::launch("elementwise", elementwise_general<T, F, I...>,
             {blocks_for(a.n, elementwise_threads), elementwise_threads}, f, a, all);
}

/// out = f(operands...) over the elements of `shape`. Arrays with too many for 32-bit indices are cut into parts.
inline void elementwise(ElementwiseLaunch launch, const void* f, DType compute, void* out, DType out_dtype,
                        const Shape& shape, std::span<const Operand> operands) {
  if (shape.size() == 0) return;
  const auto c = kernels::detail::collapse(shape, operands);
  // The axes from `outer` on, beginning at the pointers of `a`.
  const auto run = [&](const auto& self, ElementwiseArguments a, std::size_t outer) -> void {
    const auto ndim = static_cast<std::size_t>(c.ndim);
    std::int64_t inner = 1;
    for (auto axis = outer + 1; axis < ndim; ++axis) inner *= c.sizes[axis];
    const auto part = std::min(c.sizes[outer], std::max<std::int64_t>(max_elements / inner, 1));
    for (std::int64_t begin = 0; begin < c.sizes[outer]; begin += part) {
      const auto rows = std::min(part, c.sizes[outer] - begin);
      ElementwiseArguments b = a;
      b.out = static_cast<std::byte*>(a.out) + begin * inner * static_cast<std::int64_t>(itemsize(out_dtype));
      bool fours = compute == DType::float32 && outer + 1 == ndim && takes_fours(b.out, out_dtype);
      for (std::size_t k = 0; k < operands.size(); ++k) {
        const auto stride = c.strides[k][outer];
        b.in[k] = static_cast<const std::byte*>(a.in[k]) +
                  begin * stride * static_cast<std::int64_t>(itemsize(operands[k].dtype));
        fours = fours && (stride == 0 || takes_fours(b.in[k], operands[k].dtype));
      }
      if (inner > max_elements) {
        self(self, b, outer + 1);
        continue;
      }
      b.n = static_cast<Index32>(rows * inner);
      b.ndim = static_cast<int>(ndim - outer);
      for (auto axis = outer; axis < ndim; ++axis) {
        b.sizes[axis - outer] = Divisor(c.sizes[axis]);
        for (std::size_t k = 0; k < operands.size(); ++k) {
          b.strides[k][axis - outer] = static_cast<Index32>(c.strides[k][axis]);
        }
      }
      launch(f, b, fours);
    }
  };
  ElementwiseArguments a;
  a.out = out;
  a.out_dtype = out_dtype;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    a.in[k] = operands[k].data;
    a.dtypes[k] = operands[k].dtype;
  }
  run(run, a, 0);
}

/// dst[i] = src[i] for n elements of two dtypes.
struct Same {
  template <class V>
  constexpr V operator()(V x) const {
    return x;
  }
};
inline void convert(void* dst, DType dst_dtype, const void* src, DType src_dtype, std::int64_t n) {
  const Shape shape{n};
  const Operand operand{src, src_dtype, &shape};
  const Same f;
  const auto is_small = [](DType d) { return d == DType::float32 || itemsize(d) < 4; };  // exact as float
  if (is_small(dst_dtype) && is_small(src_dtype)) {
    return elementwise(&launch_elementwise<float, Same, 0>, &f, DType::float32, dst, dst_dtype, shape, {&operand, 1});
  }
  if (!is_float(dst_dtype) && !is_float(src_dtype)) {
    return elementwise(&launch_elementwise<std::int64_t, Same, 0>, &f, DType::int64, dst, dst_dtype, shape,
                       {&operand, 1});
  }
  elementwise(&launch_elementwise<double, Same, 0>, &f, DType::float64, dst, dst_dtype, shape, {&operand, 1});
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
