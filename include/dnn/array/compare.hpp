/// Comparing arrays on the host: what tests and assertions need.
#pragma once

#include <cmath>

#include "dnn/array/array.hpp"

namespace dnn::inline DNN_ABI {

/// Same shape and dtype, and every element the same bits or equal numbers.
inline bool array_equal(const Array& a, const Array& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const auto on_host = [](const Array& c) { return (is_16bit_float(c.dtype()) ? c.to(float32) : c).to(Device{}); };
  const Array x = on_host(a), y = on_host(b);
  return visit_dtype(x.dtype(), [&]<class T>(std::type_identity<T>) {
    if constexpr (std::is_arithmetic_v<T>) {
      const auto p = x.data<T>(), q = y.data<T>();
      for (std::int64_t i = 0; i < x.size(); ++i) {
        if (!(p[i] == q[i]) && std::memcmp(p + i, q + i, sizeof(T)) != 0) return false;
      }
    }
    return true;
  });
}

/// NumPy's allclose with NaN equal to NaN: same shape and |a - b| <= atol + rtol * |b| everywhere. On failure
/// `difference`, if given, tells the first place that differs.
inline bool allclose(const Array& a, const Array& b, double rtol = 1e-5, double atol = 1e-8,
                     std::string* difference = nullptr) {
  if (a.shape() != b.shape()) {
    if (difference) *difference = concat("shapes ", a.shape(), " and ", b.shape());
    return false;
  }
  const Array x = a.to(Device{}).to(float64), y = b.to(Device{}).to(float64);
  const double *p = x.data<double>(), *q = y.data<double>();
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const bool close = p[i] == q[i] || (std::isnan(p[i]) && std::isnan(q[i])) ||
                       (std::isfinite(q[i]) && std::abs(p[i] - q[i]) <= atol + rtol * std::abs(q[i]));
    if (!close) {
      if (difference) *difference = concat("element ", i, " of ", a.shape(), ": ", p[i], " and ", q[i]);
      return false;
    }
  }
  return true;
}

/// True when no element is NaN or infinite; integers always are.
inline bool all_finite(const Array& x) {
  if (!is_float(x.dtype())) return true;
  const Array y = x.to(Device{}).to(compute_dtype(x.dtype()));
  return visit_float(y.dtype(), "all_finite", [&]<class T>(std::type_identity<T>) {
    for (const T v : y.span<T>()) {
      if (!std::isfinite(v)) return false;
    }
    return true;
  });
}

}  // namespace dnn::inline DNN_ABI
