/// One SIMD register of numbers, with the operators and functions that an op's formula may use.
///
/// A formula is a template over its value type: given packs it is the CPU kernel, given Variables it builds the graph
/// of its own derivative. Arithmetic is the compiler's vector extension; transcendental functions are Eigen's.
#pragma once

// GCC 12 takes the undefined operands of its own AVX-512 intrinsics for mistakes of whoever calls them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
// Eigen has kernels of its own for CUDA; here it is for the host, vectorised as with any compiler.
#if defined(__CUDACC__)
#if !defined(EIGEN_NO_CUDA)
#define EIGEN_NO_CUDA
#endif
#pragma nv_diagnostic push
#pragma nv_diag_suppress 68, 177
#endif
#include <Eigen/Core>
#if defined(__CUDACC__)
#pragma nv_diagnostic pop
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numbers>
#include <type_traits>

#include "dnn/core/dtype.hpp"

namespace dnn::inline DNN_ABI::kernels {

#if defined(__AVX512F__)
inline constexpr int simd_bytes = 64;
#elif defined(__AVX__)
inline constexpr int simd_bytes = 32;
#else
inline constexpr int simd_bytes = 16;
#endif

template <class T>
struct Mask;

template <class T>
struct Pack {
  static constexpr int width = simd_bytes / static_cast<int>(sizeof(T));
  typedef T Vector __attribute__((vector_size(simd_bytes)));

  Vector v;

  Pack() = default;
  explicit Pack(Vector vector) noexcept : v(vector) {}
  /// The same number in every lane.
  template <class S>
    requires(std::is_arithmetic_v<S>)
  Pack(S scalar) : v(Vector{} + static_cast<T>(scalar)) {}

  static Pack load(const T* p) noexcept {
    Pack out;
    std::memcpy(&out.v, p, sizeof(Vector));
    return out;
  }
  void store(T* p) const noexcept { std::memcpy(p, &v, sizeof(Vector)); }

  friend Pack operator+(Pack a, Pack b) noexcept { return Pack(a.v + b.v); }
  friend Pack operator-(Pack a, Pack b) noexcept { return Pack(a.v - b.v); }
  friend Pack operator*(Pack a, Pack b) noexcept { return Pack(a.v * b.v); }
  friend Pack operator/(Pack a, Pack b) noexcept { return Pack(a.v / b.v); }
  friend Pack operator-(Pack a) noexcept { return Pack(-a.v); }

  friend Mask<T> operator==(Pack a, Pack b) noexcept { return Mask<T>{a.v == b.v}; }
  friend Mask<T> operator!=(Pack a, Pack b) noexcept { return Mask<T>{a.v != b.v}; }
  friend Mask<T> operator<(Pack a, Pack b) noexcept { return Mask<T>{a.v < b.v}; }
  friend Mask<T> operator<=(Pack a, Pack b) noexcept { return Mask<T>{a.v <= b.v}; }
  friend Mask<T> operator>(Pack a, Pack b) noexcept { return Mask<T>{a.v > b.v}; }
  friend Mask<T> operator>=(Pack a, Pack b) noexcept { return Mask<T>{a.v >= b.v}; }
};

/// The lanes in which a comparison holds.
template <class T>
struct Mask {
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef Integer Vector __attribute__((vector_size(simd_bytes)));

  Vector v;

  friend Mask operator&(Mask a, Mask b) noexcept { return {a.v & b.v}; }
  friend Mask operator|(Mask a, Mask b) noexcept { return {a.v | b.v}; }
};

/// a where the mask holds, b elsewhere.
template <class T>
Pack<T> where(Mask<T> mask, std::type_identity_t<Pack<T>> a, std::type_identity_t<Pack<T>> b) noexcept {
  return Pack<T>(mask.v ? a.v : b.v);
}

namespace detail {

/// A register full of the element at `value`, of 4 or 8 bytes, for code that does not know its type.
inline void fill_register(std::byte* out, const void* value, std::size_t item) noexcept {
  if (item == 4) {
    std::int32_t bits;
    std::memcpy(&bits, value, sizeof bits);
    Pack<std::int32_t>(bits).store(reinterpret_cast<std::int32_t*>(out));
  } else {
    std::int64_t bits;
    std::memcpy(&bits, value, sizeof bits);
    Pack<std::int64_t>(bits).store(reinterpret_cast<std::int64_t*>(out));
  }
}

/// What fills up the last register: a number that every formula takes.
inline const void* one_of(DType compute) noexcept {
  static constexpr float single = 1;
  static constexpr double real = 1;
  static constexpr std::int64_t integer = 1;
  if (compute == DType::float32) return &single;
  if (compute == DType::float64) return &real;
  return &integer;
}

// A packet as a template argument loses its alignment attribute, which does not matter here.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// Applies a function of Eigen's packets. (An Eigen::Array would do the same, for 70 ms of compile time a function.)
template <class T, class F, class... Others>
Pack<T> through_eigen(Pack<T> x, F f, const Others&... others) noexcept {
  using Packet = typename Eigen::internal::packet_traits<T>::type;
  const auto part = [](const Pack<T>& pack, std::size_t at) {
    Packet packet;
    std::memcpy(&packet, reinterpret_cast<const std::byte*>(&pack) + at, sizeof packet);
    return packet;
  };
  for (std::size_t at = 0; at < sizeof x; at += sizeof(Packet)) {
    const Packet result = f(part(x, at), part(others, at)...);
    std::memcpy(reinterpret_cast<std::byte*>(&x) + at, &result, sizeof result);
  }
  return x;
}
#pragma GCC diagnostic pop

/// Lane by lane.
template <class T, class F>
Pack<T> through_std(Pack<T> x, F f) noexcept {
  for (int i = 0; i < Pack<T>::width; ++i) x.v[i] = f(static_cast<T>(x.v[i]));
  return x;
}

}  // namespace detail

/// `name` is Eigen's `p##function` where that is vectorised, else the standard library's `function`.
#define DNN_PACK_FUNCTION(name, function, has)                                                        \
  template <class T>                                                                                  \
  Pack<T> name(Pack<T> x) noexcept {                                                                  \
    if constexpr (Eigen::internal::packet_traits<T>::has) {                                           \
      return detail::through_eigen(x, [](const auto& p) { return Eigen::internal::p##function(p); }); \
    } else {                                                                                          \
      return detail::through_std(x, [](T lane) { return static_cast<T>(std::function(lane)); });      \
    }                                                                                                 \
  }
namespace detail {
DNN_PACK_FUNCTION(eigen_exp, exp, HasExp)
DNN_PACK_FUNCTION(eigen_tanh, tanh, HasTanh)
DNN_PACK_FUNCTION(eigen_log, log, HasLog)
DNN_PACK_FUNCTION(eigen_expm1, expm1, HasExpm1)
}  // namespace detail
DNN_PACK_FUNCTION(log1p, log1p, HasLog1p)
DNN_PACK_FUNCTION(abs, abs, HasAbs)
DNN_PACK_FUNCTION(floor, floor, HasFloor)
DNN_PACK_FUNCTION(ceil, ceil, HasCeil)
DNN_PACK_FUNCTION(sin, sin, HasSin)
DNN_PACK_FUNCTION(cos, cos, HasCos)
#undef DNN_PACK_FUNCTION

namespace detail {
/// NaN stays NaN. Comparisons with constants would not become the processor's minimum and maximum.
template <class T>
Pack<T> clamp(Pack<T> x, T low, T high) noexcept {
  return through_eigen(x, [=](const auto& p) {
    using Packet = std::decay_t<decltype(p)>;
    using Eigen::internal::pset1;
    return Eigen::internal::pmax(Eigen::internal::pmin(p, pset1<Packet>(high)), pset1<Packet>(low));
  });
}

/// x * 2^n for whole n between -254 and 254, rounded once.
inline Pack<float> scale_by_power(Pack<float> x, Pack<float> n) noexcept {
#if defined(__AVX512F__)
  return Pack<float>(Pack<float>::Vector(_mm512_scalef_ps(x.v, n.v)));
#else
  using Integers = Mask<float>::Vector;
  const auto whole = __builtin_convertvector(n.v, Integers), half = whole >> 1;
  const Integers bits[] = {(half + 127) << 23, (whole - half + 127) << 23};
  Pack<float> powers[2];
  std::memcpy(powers, bits, sizeof bits);
  return x * powers[0] * powers[1];
#endif
}
}  // namespace detail

/// Floats: exp(x) = 2^n exp(r) with the whole number n nearest to x / log 2 and the polynomial of Cephes for exp(r),
/// within one unit of the last place. Doubles: 0 where the result is smaller than a normal number, since Eigen's
/// version never gets below that, exp(-inf) included. Always inlined: the constants then stay in registers.
template <class T>
[[gnu::always_inline]] inline Pack<T> exp(Pack<T> x) noexcept {
  if constexpr (sizeof(T) == 4) {
    using Vector = typename Pack<T>::Vector;
    constexpr float to_whole = 0x1.8p23f;  // a sum with this has no fraction
    const Vector v = detail::clamp(x, -105.0f, 89.0f).v;
    const Vector n = (v * std::numbers::log2e_v<float> + to_whole) - to_whole;
    const Vector r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
    Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    return detail::scale_by_power(Pack<T>(p), Pack<T>(n));
  } else {
    return where(x < -708.3, 0, detail::eigen_exp(x));
  }
}

/// Eigen's version goes through exp, and overflows where that does.
template <class T>
Pack<T> expm1(Pack<T> x) noexcept {
  if constexpr (sizeof(T) == 4 && simd_bytes == 64) return where(x > 80, exp(x) - 1, detail::eigen_expm1(x));
  else return detail::eigen_expm1(x);
}

/// Eigen's version takes numbers below the normal ones for the smallest of these: they are scaled up before.
template <class T>
Pack<T> log(Pack<T> x) noexcept {
  constexpr T scale = sizeof(T) == 4 ? T(0x1p24) : T(0x1p54),
              log_scale = (sizeof(T) == 4 ? 24 : 54) * std::numbers::ln2_v<T>;
  const auto tiny = x < std::numeric_limits<T>::min();
  const Pack<T> y = detail::eigen_log(where(tiny, x * scale, x));
  return where(tiny, y - log_scale, y);
}

/// The processor's own, correctly rounded: where Eigen prefers an approximation, infinity gives NaN, or the last bit is
/// off.
template <class T>
Pack<T> sqrt(Pack<T> x) noexcept {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return Pack<T>(typename Pack<T>::Vector(_mm512_sqrt_ps(x.v)));
  else return Pack<T>(typename Pack<T>::Vector(_mm512_sqrt_pd(x.v)));
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) return Pack<T>(typename Pack<T>::Vector(_mm256_sqrt_ps(x.v)));
  else return Pack<T>(typename Pack<T>::Vector(_mm256_sqrt_pd(x.v)));
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return Pack<T>(typename Pack<T>::Vector(_mm_sqrt_ps(x.v)));
  else return Pack<T>(typename Pack<T>::Vector(_mm_sqrt_pd(x.v)));
#else
  return detail::through_std(x, [](T lane) { return std::sqrt(lane); });
#endif
}

/// NaN stays NaN: Eigen's version clamps it.
template <class T>
Pack<T> tanh(Pack<T> x) noexcept {
  return where(x == x, detail::eigen_tanh(x), x);
}

/// The larger of two; NaN if either is NaN. (The processor has an instruction for all but a NaN in a; written as
/// comparisons alone, GCC does not find it.)
template <class T>
Pack<T> maximum(Pack<T> a, std::type_identity_t<Pack<T>> b) noexcept {
  return where(a != a, a,
               detail::through_eigen(
                   b, [](const auto& p, const auto& q) { return Eigen::internal::pmax(p, q); }, a));
}
/// The smaller of two; NaN if either is NaN.
template <class T>
Pack<T> minimum(Pack<T> a, std::type_identity_t<Pack<T>> b) noexcept {
  return where(a != a, a,
               detail::through_eigen(
                   b, [](const auto& p, const auto& q) { return Eigen::internal::pmin(p, q); }, a));
}

/// Lane by lane through the standard library: rare functions, and those whose edge cases must be exact.
template <class T, class F>
Pack<T> lane_by_lane(Pack<T> x, Pack<T> y, F f) noexcept {
  for (int i = 0; i < Pack<T>::width; ++i) x.v[i] = f(static_cast<T>(x.v[i]), static_cast<T>(y.v[i]));
  return x;
}

/// x to the power y, as `std::pow`.
template <class T>
Pack<T> pow(Pack<T> x, std::type_identity_t<Pack<T>> y) noexcept {
  return lane_by_lane(x, y, [](T a, T b) { return static_cast<T>(std::pow(a, b)); });
}

/// Towards 0.
template <class T>
Pack<T> fix(Pack<T> x) noexcept {
  return where(x < 0, ceil(x), floor(x));
}

/// The remainder of x / y, as `std::fmod`.
template <class T>
Pack<T> fmod(Pack<T> x, std::type_identity_t<Pack<T>> y) noexcept {
  return lane_by_lane(x, y, [](T a, T b) { return std::fmod(a, b); });
}

}  // namespace dnn::inline DNN_ABI::kernels
