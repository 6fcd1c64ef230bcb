/// Making arrays: zeros, ones, full, arange, from values and pointers, random. All on the current device.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "dnn/array/array.hpp"
#include "dnn/core/random.hpp"

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
inline Array zeros_like(const Array& x) { return zeros(x.shape(), x.dtype()); }
inline Array ones_like(const Array& x) { return ones(x.shape(), x.dtype()); }

/// start, start + step, ... up to but without stop; NumPy's count, ceil((stop - start) / step). Throws ArgumentError
/// for a step of 0.
inline Array arange(double start, double stop, double step = 1, DType dtype = int64) {
  if (step == 0 || !std::isfinite((stop - start) / step))
    throw ArgumentError("[arange] step must not be 0, bounds finite");
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  if (count > 9e15) throw ShapeError("[arange] too many elements");
  Array out({static_cast<std::int64_t>(count)}, dtype);
  visit_dtype(dtype, [&]<class T>(std::type_identity<T>) {
    T* p = out.data<T>();
    for (std::int64_t i = 0; i < out.size(); ++i) p[i] = cast_scalar<T>(start + static_cast<double>(i) * step);
  });
  return out;
}
inline Array arange(std::int64_t stop, DType dtype = int64) { return arange(0, static_cast<double>(stop), 1, dtype); }

/// The identity matrix of n rows.
inline Array eye(std::int64_t n, DType dtype = float32) {
  Array out = zeros({n, n}, dtype);
  visit_dtype(dtype, [&]<class T>(std::type_identity<T>) {
    for (std::int64_t i = 0; i < n; ++i) out.data<T>()[i * (n + 1)] = cast_scalar<T>(1);
  });
  return out;
}

/// A copy of shape.size() elements at `data`.
template <class T>
Array array_from(const T* data, const Shape& shape) {
  Array out(shape, dtype_of<T>());
  if (out.size() > 0) std::memcpy(out.bytes(), data, out.nbytes());
  return out;
}
/// A copy of `values` under `shape`. Throws ShapeError when the counts differ.
template <class T>
Array array_from(std::span<const T> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.size()) {
    throw ShapeError(concat("[array_from] ", values.size(), " values for shape ", shape));
  }
  return array_from(values.data(), shape);
}
template <class T>
  requires(!std::same_as<T, bool>)
Array array_from(const std::vector<T>& values) {
  return array_from(values.data(), {static_cast<std::int64_t>(values.size())});
}

/// An array of the given numbers: `array({1.f, 2.f})`, `array({{1., 2.}, {3., 4.}})`, up to three levels. The dtype is
/// that of the C++ type. Throws ShapeError for ragged rows.
template <class T>
  requires(std::is_arithmetic_v<T>)
Array array(std::initializer_list<T> values) {
  Array out({static_cast<std::int64_t>(values.size())}, dtype_of<T>());
  std::copy(values.begin(), values.end(), out.data<T>());
  return out;
}
namespace detail {
inline Array stack_rows(std::span<const Array> rows) {
  if (rows.empty()) throw ShapeError("[array] an empty list of rows has no shape");
  Array out(rows[0].shape().with_inserted(0, static_cast<std::int64_t>(rows.size())), rows[0].dtype());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].shape() != rows[0].shape()) {
      throw ShapeError(concat("[array] row ", i, " has shape ", rows[i].shape(), ", row 0 has ", rows[0].shape()));
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

/// Uniform in [low, high).
inline Array uniform(const Shape& shape, double low = 0, double high = 1, DType dtype = float32) {
  Array out(shape, compute_dtype(dtype));
  const auto n = out.size();
  if (out.dtype() == DType::float64) {
    const auto stream = default_generator().draw(static_cast<std::uint64_t>(n + 1) / 2);
    double* p = out.data<double>();
    for (std::int64_t i = 0; i < n; ++i)
      p[i] = low + (high - low) * stream.uniform_double(static_cast<std::uint64_t>(i));
  } else {
    const auto stream = default_generator().draw(static_cast<std::uint64_t>(n + 3) / 4);
    float* p = out.data<float>();
    for (std::int64_t i = 0; i < n; ++i) {
      p[i] = static_cast<float>(low) +
             static_cast<float>(high - low) * stream.uniform_float(static_cast<std::uint64_t>(i));
    }
  }
  return out.to(dtype);
}

/// Normal with the given mean and standard deviation (not truncated).
inline Array normal(const Shape& shape, double mean = 0, double standard_deviation = 1, DType dtype = float32) {
  Array out(shape, compute_dtype(dtype));
  const auto n = out.size();
  const auto pairs = (n + 1) / 2;
  // normal_pair(i) reads blocks 2i and 2i + 1 of doubles, that is block i of the stream and its neighbour.
  const auto stream = default_generator().draw(static_cast<std::uint64_t>(pairs));
  visit_float(out.dtype(), "normal", [&]<class T>(std::type_identity<T>) {
    T* p = out.data<T>();
    kernels::parallel_for(pairs, 8192, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        const auto [a, b] = stream.normal_pair(static_cast<std::uint64_t>(i));
        p[2 * i] = static_cast<T>(mean + standard_deviation * a);
        if (2 * i + 1 < n) p[2 * i + 1] = static_cast<T>(mean + standard_deviation * b);
      }
    });
  });
  return out.to(dtype);
}

}  // namespace random

}  // namespace dnn::inline DNN_ABI
