/// Building messages without iostream: `concat("axis ", axis, " out of range")`.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {
[[gnu::cold, gnu::noinline]] inline std::string integer_text(bool negative, std::uint64_t magnitude) {
  char buffer[24];
  char* const end = buffer + sizeof buffer;
  char* begin = end;
  do *--begin = static_cast<char>('0' + magnitude % 10);
  while ((magnitude /= 10) != 0);
  if (negative) *--begin = '-';
  return std::string(begin, end);
}
}  // namespace detail

/// The shortest text that reads back as the same number; `nan`, `inf`, `-inf` for the rest.
template <class T>
  requires(std::is_arithmetic_v<T>)
std::string to_text(T value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::same_as<T, char>) {
    return std::string(1, value);
  } else if constexpr (std::integral<T>) {
    const auto bits = static_cast<std::uint64_t>(value);
    if constexpr (std::signed_integral<T>) {
      if (value < 0) return detail::integer_text(true, 0 - bits);
    }
    return detail::integer_text(false, bits);
  } else {
    if (value != value) return "nan";  // whatever its sign
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    return std::string(buffer, end);
  }
}
inline std::string to_text(std::string_view text) { return std::string(text); }

namespace detail {

/// A value that can become text, without its type.
struct TextPart {
  const void* value;
  std::string (*text)(const void*);

  template <class T>
  TextPart(const T& v) noexcept : value(&v), text([](const void* p) { return to_text(*static_cast<const T*>(p)); }) {}
  TextPart(const char* literal) noexcept
      : value(literal), text([](const void* p) { return std::string(static_cast<const char*>(p)); }) {}
};

[[gnu::cold, gnu::noinline]] inline std::string join(const TextPart* parts, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += parts[i].text(parts[i].value);
  return out;
}

}  // namespace detail

/// Joins the texts of its arguments; every type with a `to_text` overload can take part. There are hundreds of calls,
/// all on the way to an error: each compiles to a list of pointers, and one function does the work.
template <class... Parts>
  requires(requires(const Parts&... parts) { (to_text(parts), ...); })
[[gnu::always_inline]] inline std::string concat(const Parts&... parts) {
  const detail::TextPart list[] = {detail::TextPart(parts)...};
  return detail::join(list, sizeof...(parts));
}

}  // namespace dnn::inline DNN_ABI
