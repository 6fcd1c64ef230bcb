/// Building messages without iostream: `concat("axis ", axis, " out of range")`.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

/// The shortest text that reads back as the same number; `nan`, `inf`, `-inf` for the rest.
template <class T>
  requires std::is_arithmetic_v<T>
std::string to_text(T value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::same_as<T, char>) {
    return std::string(1, value);
  } else {
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    return std::string(buffer, end);
  }
}
inline std::string to_text(std::string_view text) { return std::string(text); }

/// Joins the texts of its arguments; every type with a `to_text` overload can take part. Compiled for size: it makes
/// messages. By value, so that literals of different lengths share one instantiation.
template <class... Parts>
  requires requires(const Parts&... parts) { (to_text(parts), ...); }
[[gnu::cold, gnu::noinline]] std::string concat(Parts... parts) {
  std::string out;
  ((out += to_text(parts)), ...);
  return out;
}

}  // namespace dnn::inline DNN_ABI
