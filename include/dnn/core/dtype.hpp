/// The element types. A dtype is a run-time value; C++ scalar types appear only inside kernels.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "dnn/core/error.hpp"
#include "dnn/core/half.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI {

enum class DType : std::uint8_t { float32, float64, float16, bfloat16, int32, int64, uint8, boolean };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType float16 = DType::float16;
inline constexpr DType bfloat16 = DType::bfloat16;
inline constexpr DType int32 = DType::int32;
inline constexpr DType int64 = DType::int64;
inline constexpr DType uint8 = DType::uint8;
inline constexpr DType boolean = DType::boolean;

constexpr std::size_t itemsize(DType dtype) noexcept {
  constexpr std::size_t sizes[] = {4, 8, 2, 2, 4, 8, 1, 1};
  return sizes[static_cast<std::size_t>(dtype)];
}
constexpr std::string_view name_of(DType dtype) noexcept {
  constexpr std::string_view names[] = {"float32", "float64", "float16", "bfloat16", "int32", "int64", "uint8", "bool"};
  return names[static_cast<std::size_t>(dtype)];
}
inline std::string to_text(DType dtype) { return std::string(name_of(dtype)); }
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, DType dtype) {
  return out << name_of(dtype);
}

constexpr bool is_float(DType dtype) noexcept { return dtype <= DType::bfloat16; }
/// float16 and bfloat16: computed around float, block by block.
constexpr bool is_16bit_float(DType dtype) noexcept { return dtype == DType::float16 || dtype == DType::bfloat16; }
/// The type arithmetic on `dtype` happens in: float for the 16-bit types, itself otherwise.
constexpr DType compute_dtype(DType dtype) noexcept { return is_16bit_float(dtype) ? DType::float32 : dtype; }

/// The dtype with this name (`float32`, ..., `bool`). Throws DTypeError listing the known ones.
inline DType dtype_from_name(std::string_view name) {
  for (int i = 0; i < 8; ++i) {
    if (name_of(static_cast<DType>(i)) == name) return static_cast<DType>(i);
  }
  throw DTypeError("[dtype] '", name,
                   "' is not a dtype; known are float32 float64 float16 bfloat16 int32 int64 uint8 bool");
}

/// The dtype of a C++ scalar type.
template <class T>
constexpr DType dtype_of() noexcept {
  if constexpr (std::same_as<T, float>) return DType::float32;
  else if constexpr (std::same_as<T, double>) return DType::float64;
  else if constexpr (std::same_as<T, Float16>) return DType::float16;
  else if constexpr (std::same_as<T, BFloat16>) return DType::bfloat16;
  else if constexpr (std::same_as<T, bool>) return DType::boolean;
  else if constexpr (std::integral<T> && std::is_signed_v<T> && sizeof(T) == 4) return DType::int32;
  else if constexpr (std::integral<T> && std::is_signed_v<T> && sizeof(T) == 8) return DType::int64;
  else {
    static_assert(std::same_as<T, std::uint8_t>, "not an element type of dnn");
    return DType::uint8;
  }
}

/// Calls `body(std::type_identity<T>{})` with the C++ type of `dtype`.
template <class Body>
decltype(auto) visit_dtype(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::float32: return body(std::type_identity<float>{});
    case DType::float64: return body(std::type_identity<double>{});
    case DType::float16: return body(std::type_identity<Float16>{});
    case DType::bfloat16: return body(std::type_identity<BFloat16>{});
    case DType::int32: return body(std::type_identity<std::int32_t>{});
    case DType::int64: return body(std::type_identity<std::int64_t>{});
    case DType::uint8: return body(std::type_identity<std::uint8_t>{});
    case DType::boolean: break;
  }
  return body(std::type_identity<bool>{});
}

/// The same over the compute types float and double; anything else throws DTypeError naming `op`.
template <class Body>
decltype(auto) visit_float(DType dtype, std::string_view op, Body&& body) {
  switch (dtype) {
    case DType::float32: return body(std::type_identity<float>{});
    case DType::float64: return body(std::type_identity<double>{});
    default: throw DTypeError("[", op, "] takes float32 or float64, not ", dtype);
  }
}

/// NumPy's result type, except that a float array and an integer array give the float array's type.
constexpr DType promote(DType a, DType b) noexcept {
  if (a == b) return a;
  if (is_float(a) != is_float(b)) return is_float(a) ? a : b;
  if (is_float(a)) {
    if (a == DType::float64 || b == DType::float64) return DType::float64;
    return DType::float32;
  }
  const auto rank = [](DType d) { return d == DType::boolean ? 0 : d == DType::uint8 ? 1 : d == DType::int32 ? 2 : 3; };
  return rank(a) > rank(b) ? a : b;
}

/// `static_cast` that goes through float for the 16-bit types, and is defined for all values: a float beyond the range
/// of an integer type becomes its nearest end, NaN becomes 0.
template <class To, class From>
DNN_HD To cast_scalar(From value) noexcept {
  if constexpr (std::same_as<To, From>) return value;
  else if constexpr (std::same_as<From, Float16> || std::same_as<From, BFloat16>)
    return cast_scalar<To>(static_cast<float>(value));
  else if constexpr (std::same_as<To, Float16> || std::same_as<To, BFloat16>) return To(static_cast<float>(value));
  else if constexpr (std::floating_point<From> && std::integral<To> && !std::same_as<To, bool>) {
    constexpr To least = std::numeric_limits<To>::min(), most = std::numeric_limits<To>::max();
    if (value >= static_cast<From>(most)) return most;
    if (value > static_cast<From>(least)) return static_cast<To>(value);
    return value != value ? To(0) : least;
  } else return static_cast<To>(value);
}

}  // namespace dnn::inline DNN_ABI
