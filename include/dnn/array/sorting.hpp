/// Sorting: sort, argsort, top_k, unique. Not part of dnn/dnn.hpp: where there are CUDA devices it includes Thrust, for
/// which nvcc takes 5 seconds.
///
///     const Array order = argsort(scores);
///     const auto [values, places] = top_k(scores, 5);
///
/// Any dtype, on the array's device, with NumPy's order: -inf before the finite numbers, inf after them, NaN last; -0
/// and 0 are equal. Equal elements keep their order. Indices are int64. The same bits in every run and on every device.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dnn/array/array.hpp"
#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/sort.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

/// Elements as unsigned integers.
DNN_HD inline std::uint64_t load_word(const void* data, int bits, std::int64_t i) {
  switch (bits) {
    case 8: return static_cast<const std::uint8_t*>(data)[i];
    case 16: return static_cast<const std::uint16_t*>(data)[i];
    case 32: return static_cast<const std::uint32_t*>(data)[i];
    default: return static_cast<const std::uint64_t*>(data)[i];
  }
}
DNN_HD inline void store_word(void* data, int bits, std::int64_t i, std::uint64_t word) {
  switch (bits) {
    case 8: static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(word); break;
    case 16: static_cast<std::uint16_t*>(data)[i] = static_cast<std::uint16_t>(word); break;
    case 32: static_cast<std::uint32_t*>(data)[i] = static_cast<std::uint32_t>(word); break;
    default: static_cast<std::uint64_t*>(data)[i] = word; break;
  }
}

/// Unsigned integers that are in the order of the elements: of a float, its bits with the sign turned, all of them
/// turned when it is negative.
struct SortKeys {
  std::uint64_t* keys;  // (outer, inner, length)
  const void* data;     // (outer, length, inner)
  std::int64_t length, inner;
  int bits;
  std::uint64_t infinity;  // of a float type, 0 otherwise
  bool has_sign, descending;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t line = i / length, r = i % length;
    const std::uint64_t word = load_word(data, bits, (line / inner * length + r) * inner + line % inner);
    keys[i] = descending ? ~key(word) & mask() : key(word);
  }

 private:
  DNN_HD std::uint64_t mask() const { return ~std::uint64_t{0} >> (64 - bits); }
  DNN_HD std::uint64_t key(std::uint64_t word) const {
    const std::uint64_t sign = std::uint64_t{1} << (bits - 1), magnitude = word & ~sign;
    if (!infinity) return has_sign ? word ^ sign : word;
    if (magnitude > infinity) return mask();  // NaN
    if (magnitude == 0) return sign;
    return word & sign ? ~word & mask() : word | sign;
  }
};

/// Writes the first `wanted` of every line in order: their places, and the elements there.
struct TakeInOrder {
  std::int64_t* places;
  void* values;
  const std::int64_t* order;  // (outer, inner, length)
  const void* data;           // (outer, length, inner)
  std::int64_t length, wanted, inner;
  int bits;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t column = i % inner, r = i / inner % wanted, o = i / inner / wanted;
    const std::int64_t from = order[(o * inner + column) * length + r];
    places[i] = from;
    store_word(values, bits, i, load_word(data, bits, (o * length + from) * inner + column));
  }
};

inline int bits_of(DType dtype) noexcept { return static_cast<int>(8 * itemsize(dtype)); }
inline std::uint64_t infinity_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::float32: return 0x7f800000;
    case DType::float64: return 0x7ff0000000000000;
    case DType::float16: return 0x7c00;
    case DType::bfloat16: return 0x7f80;
    default: return 0;
  }
}

/// The keys of x (outer, length, inner), sorted along the lines, and their order.
struct SortedLines {
  Array keys, order;  // of keys, int64 stands for unsigned

  SortedLines(const Array& x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool descending,
              std::int64_t wanted)
      : keys({outer, inner, length}, int64, x.device()), order(keys.shape(), int64, x.device()) {
    const DType dtype = x.dtype();
    const bool has_sign = dtype == int32 || dtype == int64;
    auto* const to = reinterpret_cast<std::uint64_t*>(keys.bytes());
    kernels::for_each_index(
        "sort", x.size(), 16384,
        SortKeys{to, x.bytes(), length, inner, bits_of(dtype), infinity_of(dtype), has_sign, descending});
    kernels::sort_lines(to, order.data<std::int64_t>(), outer * inner, length, wanted, bits_of(dtype));
  }
};

}  // namespace detail

/// The largest elements along an axis and where they are: what top_k returns.
struct TopK {
  Array values, indices;
};

namespace detail {
/// The first `wanted` elements of every line along `axis`; all of them without a number.
inline TopK sorted(std::string_view op, const Array& x, int axis, bool descending,
                   std::optional<std::int64_t> number = {}) {
  axis = normalize_axis(axis, x.ndim(), op);
  const Shape& shape = x.shape();
  const auto outer = shape.slice(0, axis).size(), inner = shape.slice(axis + 1, shape.ndim()).size();
  const auto length = shape[axis], wanted = number.value_or(length);
  if (wanted < 0 || wanted > length) {
    throw ArgumentError("[", op, "] ", wanted, " elements of the ", length, " along axis ", axis, " of ", x);
  }
  TopK out{Array(shape.with(axis, wanted), x.dtype(), x.device()), Array(shape.with(axis, wanted), int64, x.device())};
  if (out.values.size() == 0) return out;
  const UsingDevice here(x.device());
  const SortedLines lines(x, outer, length, inner, descending, wanted);
  kernels::for_each_index(
      op, out.values.size(), 16384,
      TakeInOrder{out.indices.data<std::int64_t>(), out.values.bytes(), lines.order.data<std::int64_t>(), x.bytes(),
                  length, wanted, inner, bits_of(x.dtype())});
  return out;
}
}  // namespace detail

/// x sorted along `axis`; without one (`std::nullopt`), all elements in one row. Throws IndexError for an axis out of
/// range.
inline Array sort(const Array& x, std::optional<int> axis = -1) {
  return detail::sorted("sort", axis ? x : x.reshape({-1}), axis.value_or(0), false).values;
}

/// The indices that sort x along `axis`; without one (`std::nullopt`), of the flattened x. Throws IndexError for an
/// axis out of range.
inline Array argsort(const Array& x, std::optional<int> axis = -1) {
  return detail::sorted("argsort", axis ? x : x.reshape({-1}), axis.value_or(0), false).indices;
}

/// The k largest elements along `axis`, the largest first, and their indices; NaN counts as larger than any number, of
/// equals the first comes first. Throws IndexError for an axis out of range, ArgumentError unless 0 <= k <= its length.
inline TopK top_k(const Array& x, std::int64_t k, int axis = -1) { return detail::sorted("top_k", x, axis, true, k); }

/// What unique_all returns, as NumPy's.
struct UniqueAll {
  Array values;   ///< the different elements, sorted; all NaN are one
  Array indices;  ///< where in the flattened x each occurs first
  Array inverse;  ///< which of them each element of x is: x.shape
  Array counts;   ///< how often each occurs
};

namespace detail {

/// 1 where a key begins, but 0 for the first: their sums are the numbers of different keys.
struct KeyBegins {
  std::int64_t* begins;
  const std::int64_t* keys;

  DNN_HD void operator()(std::int64_t i) const { begins[i] = i > 0 && keys[i] != keys[i - 1]; }
};
struct Different {
  void* values;
  std::int64_t *indices, *inverse, *starts;
  const void* data;
  const std::int64_t *order, *numbers;
  int bits;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t number = numbers[i], from = order[i];
    inverse[from] = number;
    if (i > 0 && numbers[i - 1] == number) return;
    store_word(values, bits, number, load_word(data, bits, from));
    indices[number] = from;
    starts[number] = i;
  }
};
struct CountEach {
  std::int64_t* counts;
  const std::int64_t* starts;
  std::int64_t different, all;

  DNN_HD void operator()(std::int64_t i) const { counts[i] = (i + 1 < different ? starts[i + 1] : all) - starts[i]; }
};

}  // namespace detail

/// The different elements of x and where they are. On a GPU the host waits: their number is a size.
inline UniqueAll unique_all(const Array& x) {
  const UsingDevice here(x.device());
  const auto n = x.size();
  std::int64_t different = 0;
  const detail::SortedLines sorted(x, 1, n, 1, false, n);
  Array numbers({n}, int64);
  if (n > 0) {
    kernels::for_each_index("unique", n, 16384,
                            detail::KeyBegins{numbers.data<std::int64_t>(), sorted.keys.data<std::int64_t>()});
    kernels::inclusive_scan(numbers.data<std::int64_t>(), n);
    different = numbers[-1].item<std::int64_t>() + 1;
  }
  UniqueAll out{Array({different}, x.dtype()), Array({different}, int64), Array(x.shape(), int64),
                Array({different}, int64)};
  Array starts({different}, int64);
  const std::int64_t* const begins = starts.data<std::int64_t>();
  kernels::for_each_index(
      "unique", n, 16384,
      detail::Different{out.values.bytes(), out.indices.data<std::int64_t>(), out.inverse.data<std::int64_t>(),
                        starts.data<std::int64_t>(), x.bytes(), sorted.order.data<std::int64_t>(),
                        std::as_const(numbers).data<std::int64_t>(), detail::bits_of(x.dtype())});
  kernels::for_each_index("unique", different, 16384,
                          detail::CountEach{out.counts.data<std::int64_t>(), begins, different, n});
  return out;
}

/// The different elements of x, sorted; all NaN are one. On a GPU the host waits: their number is a size.
inline Array unique(const Array& x) { return unique_all(x).values; }

}  // namespace dnn::inline DNN_ABI
