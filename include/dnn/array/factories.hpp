/// Making arrays: zeros, ones, full, arange, from values and pointers, random. All on the current device.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include "dnn/array/array.hpp"
#include "dnn/core/random.hpp"
#include "dnn/kernels/for_each_index.hpp"
#include "dnn/kernels/typed.hpp"

namespace dnn::inline DNN_ABI {

inline Array empty(const Shape& shape, DType dtype = float32) { return Array(shape, dtype); }

template <class T>
  requires(std::is_arithmetic_v<T>)
Array full(const Shape& shape, T value, DType dtype = float32) {
  Array out(shape, dtype);
  out.fill(value);
  return out;
}
inline Array zeros(const Shape& shape, DType dtype = float32) { return full(shape, 0, dtype); }
inline Array ones(const Shape& shape, DType dtype = float32) { return full(shape, 1, dtype); }
/// On the device of x.
inline Array zeros_like(const Array& x) {
  const UsingDevice here(x.device());
  return zeros(x.shape(), x.dtype());
}
inline Array ones_like(const Array& x) {
  const UsingDevice here(x.device());
  return ones(x.shape(), x.dtype());
}

namespace detail {
inline Array arange(std::int64_t start, std::int64_t stop, std::int64_t step, DType dtype) {
  if (step == 0) throw ArgumentError("[arange] step must not be 0");
  const auto u = [](std::int64_t x) { return static_cast<std::uint64_t>(x); };
  std::uint64_t count = 0;
  if (step > 0 && start < stop) count = (u(stop) - u(start) - 1) / u(step) + 1;
  if (step < 0 && start > stop) count = (u(start) - u(stop) - 1) / (0 - u(step)) + 1;
  if (count > std::uint64_t{1} << 53) throw ShapeError("[arange] too many elements");
  Array out({static_cast<std::int64_t>(count)}, int64, Device{});
  std::int64_t* p = out.data<std::int64_t>();
  for (std::uint64_t i = 0; i < count; ++i) p[i] = static_cast<std::int64_t>(u(start) + i * u(step));
  return out.to(dtype).to(current_device());
}
inline Array arange(double start, double stop, double step, DType dtype) {
  if (step == 0 || !std::isfinite((stop - start) / step))
    throw ArgumentError("[arange] step must not be 0, bounds finite");
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  if (count > 9e15) throw ShapeError("[arange] too many elements");
  Array out({static_cast<std::int64_t>(count)}, dtype, Device{});
  visit_dtype(dtype, [&]<class T>(std::type_identity<T>) {
    T* p = out.data<T>();
    for (std::int64_t i = 0; i < out.size(); ++i) p[i] = cast_scalar<T>(start + static_cast<double>(i) * step);
  });
  return out.to(current_device());
}

template <class... T>
concept Numbers = (std::is_arithmetic_v<T> && ...);
/// NumPy's dtype of a range: int64, float64 as soon as one of its numbers is floating.
template <class... T>
inline constexpr DType range_dtype = (std::is_floating_point_v<T> || ...) ? float64 : int64;
/// A number of a range in the type that the range is computed in.
template <class Number, class T>
Number range_number(T value) {
  if constexpr (std::integral<T> && !std::is_signed_v<T> && sizeof(T) == 8 && std::integral<Number>) {
    if (value > static_cast<T>(std::numeric_limits<Number>::max())) {
      throw ArgumentError("[arange] ", value, " does not fit in int64");
    }
  }
  return static_cast<Number>(value);
}
}  // namespace detail

/// start, start + step, ... up to but without stop; NumPy's count, ceil((stop - start) / step), and dtype: int64 for
/// integers (exact, whatever their size), float64 otherwise. Throws ArgumentError for a step of 0.
template <class Start, class Stop, class Step = int>
  requires(detail::Numbers<Start, Stop, Step>)
Array arange(Start start, Stop stop, Step step = 1, DType dtype = detail::range_dtype<Start, Stop, Step>) {
  using Number =
      std::conditional_t<(std::integral<Start> && std::integral<Stop> && std::integral<Step>), std::int64_t, double>;
  return detail::arange(detail::range_number<Number>(start), detail::range_number<Number>(stop),
                        detail::range_number<Number>(step), dtype);
}
/// 0, 1, ... up to but without stop.
template <class Stop>
  requires(std::is_arithmetic_v<Stop>)
Array arange(Stop stop, DType dtype = detail::range_dtype<Stop>) { return arange(Stop{0}, stop, Stop{1}, dtype); }

/// The identity matrix of n rows.
inline Array eye(std::int64_t n, DType dtype = float32) {
  Array out({n, n}, dtype, Device{});
  out.fill(0);
  visit_dtype(dtype, [&]<class T>(std::type_identity<T>) {
    for (std::int64_t i = 0; i < n; ++i) out.data<T>()[i * (n + 1)] = cast_scalar<T>(1);
  });
  return out.to(current_device());
}

/// A copy of shape.size() elements at `data`.
template <class T>
Array array_from(const T* data, const Shape& shape) {
  Array out(shape, dtype_of<T>());
  copy_bytes(out.bytes(), out.device(), data, Device{}, out.nbytes());
  return out;
}
/// A copy of `values` under `shape`. Throws ShapeError when the counts differ.
template <class T>
Array array_from(std::span<const T> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.size()) {
    throw ShapeError("[array_from] ", values.size(), " values for shape ", shape);
  }
  return array_from(values.data(), shape);
}
template <class T>
  requires(!std::same_as<T, bool>)
Array array_from(const std::vector<T>& values, const Shape& shape) {
  return array_from(std::span<const T>(values), shape);
}
template <class T>
  requires(!std::same_as<T, bool>)
Array array_from(const std::vector<T>& values) {
  return array_from(values, {static_cast<std::int64_t>(values.size())});
}

/// An array of the given numbers: `array({1.f, 2.f})`, `array({{1., 2.}, {3., 4.}})`, up to three levels. The dtype is
/// that of the C++ type. Throws ShapeError for ragged rows.
template <class T>
  requires(std::is_arithmetic_v<T>)
Array array(std::initializer_list<T> values) {
  return array_from(values.begin(), {static_cast<std::int64_t>(values.size())});
}
namespace detail {
inline Array stack_rows(std::span<const Array> rows) {
  if (rows.empty()) throw ShapeError("[array] an empty list of rows has no shape");
  Array out(rows[0].shape().with_inserted(0, static_cast<std::int64_t>(rows.size())), rows[0].dtype());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].shape() != rows[0].shape()) {
      throw ShapeError("[array] row ", i, " has shape ", rows[i].shape(), ", row 0 has ", rows[0].shape());
    }
    out[static_cast<std::int64_t>(i)].assign(rows[i]);
  }
  return out;
}
}  // namespace detail
template <class T>
  requires(std::is_arithmetic_v<T>)
Array array(std::initializer_list<std::initializer_list<T>> rows) {
  std::vector<Array> arrays;
  for (const auto& row : rows) arrays.push_back(array<T>(row));
  return detail::stack_rows(arrays);
}
template <class T>
  requires(std::is_arithmetic_v<T>)
Array array(std::initializer_list<std::initializer_list<std::initializer_list<T>>> blocks) {
  std::vector<Array> arrays;
  for (const auto& block : blocks) arrays.push_back(array<T>(block));
  return detail::stack_rows(arrays);
}
/// A 0-dimensional array.
template <class T>
  requires(std::is_arithmetic_v<T>)
Array scalar(T value, DType dtype = dtype_of<T>()) { return full({}, value, dtype); }

namespace random {

namespace detail {
/// The last number of `dtype` below `high`, but not one below `low`.
inline double last_before(double high, double low, DType dtype) {
  if (dtype == float64) return std::nextafter(high, low);
  const auto end = static_cast<float>(high), towards = static_cast<float>(low);
  if (!is_16bit_float(dtype)) return static_cast<double>(std::nextafter(end, towards));
  const auto narrow = [dtype](float x) {
    return dtype == DType::float16 ? static_cast<float>(Float16(x)) : static_cast<float>(BFloat16(x));
  };
  // Steps far below the spacing of 16-bit numbers there, doubled until one leads to the neighbour.
  float last = narrow(end);
  for (float step = std::max(std::abs(end) * 0x1p-12f, 0x1p-140f); last >= end; step *= 2) last = narrow(end - step);
  return static_cast<double>(std::max(last, narrow(towards)));
}
template <class T>
struct Uniform {
  T* out;
  RandomStream stream;
  T low, width, last;

  DNN_HD void operator()(std::int64_t i) const {
    const auto at = static_cast<std::uint64_t>(i);
    T u;
    if constexpr (std::same_as<T, float>) u = stream.uniform_float(at);
    else u = stream.uniform_double(at);
    const T value = low + width * u;
    out[i] = value < last ? value : last;
  }
};

struct Normal {
  void* out;
  DType dtype;
  std::int64_t n;
  RandomStream stream;
  double mean, standard_deviation;

  /// Two at a time.
  DNN_HD void operator()(std::int64_t i) const {
    const auto [a, b] = stream.normal_pair(static_cast<std::uint64_t>(i));
    kernels::store_as(out, dtype, 2 * i, mean + standard_deviation * a);
    if (2 * i + 1 < n) kernels::store_as(out, dtype, 2 * i + 1, mean + standard_deviation * b);
  }
};
}  // namespace detail

/// Uniform in [low, high). Throws ArgumentError unless both are finite and low <= high.
inline Array uniform(const Shape& shape, double low = 0, double high = 1, DType dtype = float32) {
  Array out(shape, compute_dtype(dtype));
  const auto n = out.size();
  if (n == 0) return out.to(dtype);
  if (!(low <= high) || !std::isfinite(low) || !std::isfinite(high)) {
    throw ArgumentError("[uniform] low <= high does not hold, or one is not finite: ", low, ", ", high);
  }
  if (out.dtype() == DType::float64) {
    const auto stream = default_generator().draw(static_cast<std::uint64_t>(n + 1) / 2);
    // Rounding may lead to `high`, or beyond.
    const double last = detail::last_before(high, low, dtype);
    kernels::for_each_index("uniform", n, 8192,
                            detail::Uniform<double>{out.data<double>(), stream, low, high - low, last});
  } else {
    const auto stream = default_generator().draw(static_cast<std::uint64_t>(n + 3) / 4);
    const auto last = static_cast<float>(detail::last_before(high, low, dtype));
    kernels::for_each_index("uniform", n, 8192,
                            detail::Uniform<float>{out.data<float>(), stream, static_cast<float>(low),
                                                   static_cast<float>(high - low), last});
  }
  return out.to(dtype);
}

/// Normal with the given mean and standard deviation (not truncated).
inline Array normal(const Shape& shape, double mean = 0, double standard_deviation = 1, DType dtype = float32) {
  Array out(shape, dtype);
  if (!is_float(dtype)) throw DTypeError("[normal] takes a float dtype, not ", dtype);
  const auto n = out.size();
  const auto pairs = (n + 1) / 2;
  // normal_pair(i) reads blocks 2i and 2i + 1 of doubles, that is block i of the stream and its neighbour.
  const auto stream = default_generator().draw(static_cast<std::uint64_t>(pairs));
  kernels::for_each_index("normal", pairs, 8192,
                          detail::Normal{out.bytes(), dtype, n, stream, mean, standard_deviation});
  return out;
}

}  // namespace random

}  // namespace dnn::inline DNN_ABI
