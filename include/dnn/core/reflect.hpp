/// The fields of an aggregate: their number, references to them, and their names. What lets `struct MLP : Chain<MLP>`
/// name each child once.
///
///     struct Point { double x = 1, y = 2; };
///     Point p;
///     for_each_field(p, [](std::string_view name, auto& field) { ... });  // ("x", 1.0), ("y", 2.0)
///
/// Up to 64 fields, none of them a C array (std::array is fine).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

inline constexpr std::size_t max_fields = 64;

/// Stands for any initialiser; only named, never evaluated. Converts to rvalues only: to a compiler that weighs copy
/// against move construction (nvcc's) a plain conversion to T would be ambiguous.
struct Anything {
  template <class T>
  operator T&&() const noexcept;
};

/// Whether T can be initialised with a base (if it has one) and as many fields as there are indices.
template <class T, bool HasBase, class Indices>
inline constexpr bool takes_fields = false;
template <class T, std::size_t... I>
inline constexpr bool takes_fields<T, true, std::index_sequence<I...>> = requires {
  T{{}, (void(I), Anything{})...};
};
template <class T, std::size_t... I>
inline constexpr bool takes_fields<T, false, std::index_sequence<I...>> = requires {
  T{(void(I), Anything{})...};
};

/// The most fields that T takes. Where fields have no default T refuses small numbers as well, so this looks for the
/// end of the numbers that it takes.
template <class T, bool HasBase, std::size_t N = 0, bool Found = false>
constexpr std::size_t count_fields() {
  if constexpr (N <= max_fields + 1) {
    constexpr bool takes = takes_fields<T, HasBase, std::make_index_sequence<N>>;
    if constexpr (takes || !Found) return count_fields<T, HasBase, N + 1, takes>();
  }
  return N - 1;
}

/// Calls f(field...) with references to the N fields of `object`.
template <std::size_t N, class T, class F>
constexpr decltype(auto) with_fields(T& object, F&& f) {
  static_assert(
      N <= max_fields,
      "too many fields, or a reference among them: write serialize(Serializer&) yourself, as links::Linear does");
  if constexpr (N == 0) {
    return f();
  }
// clang-format off
#define DNN_FIELDS(n, ...)                  \
  else if constexpr (N == n) {              \
    auto& [__VA_ARGS__] = object;           \
    return f(__VA_ARGS__);                  \
  }
#define DNN_EIGHT(p) p##0, p##1, p##2, p##3, p##4, p##5, p##6, p##7
  // n + 1 to n + 8 fields; the other arguments are n names, each followed by a comma.
#define DNN_FIELDS_FROM(n, ...)                                     \
  DNN_FIELDS(n + 1, __VA_ARGS__ z0)                                 \
  DNN_FIELDS(n + 2, __VA_ARGS__ z0, z1)                             \
  DNN_FIELDS(n + 3, __VA_ARGS__ z0, z1, z2)                         \
  DNN_FIELDS(n + 4, __VA_ARGS__ z0, z1, z2, z3)                     \
  DNN_FIELDS(n + 5, __VA_ARGS__ z0, z1, z2, z3, z4)                 \
  DNN_FIELDS(n + 6, __VA_ARGS__ z0, z1, z2, z3, z4, z5)             \
  DNN_FIELDS(n + 7, __VA_ARGS__ z0, z1, z2, z3, z4, z5, z6)         \
  DNN_FIELDS(n + 8, __VA_ARGS__ DNN_EIGHT(z))
  DNN_FIELDS_FROM(0, )
  DNN_FIELDS_FROM(8, DNN_EIGHT(a), )
  DNN_FIELDS_FROM(16, DNN_EIGHT(a), DNN_EIGHT(b), )
  DNN_FIELDS_FROM(24, DNN_EIGHT(a), DNN_EIGHT(b), DNN_EIGHT(c), )
  DNN_FIELDS_FROM(32, DNN_EIGHT(a), DNN_EIGHT(b), DNN_EIGHT(c), DNN_EIGHT(d), )
  DNN_FIELDS_FROM(40, DNN_EIGHT(a), DNN_EIGHT(b), DNN_EIGHT(c), DNN_EIGHT(d), DNN_EIGHT(e), )
  DNN_FIELDS_FROM(48, DNN_EIGHT(a), DNN_EIGHT(b), DNN_EIGHT(c), DNN_EIGHT(d), DNN_EIGHT(e), DNN_EIGHT(f), )
  DNN_FIELDS_FROM(56, DNN_EIGHT(a), DNN_EIGHT(b), DNN_EIGHT(c), DNN_EIGHT(d), DNN_EIGHT(e), DNN_EIGHT(f),
                  DNN_EIGHT(g), )
#undef DNN_FIELDS_FROM
#undef DNN_EIGHT
#undef DNN_FIELDS
  // clang-format on
}

/// An object that is never made: the addresses of its fields are constants, which the compiler prints by name. No code
/// is to run to destroy it; g++ is told so by `constexpr`, which clang does not allow here.
template <class T>
union Ghost {
  constexpr Ghost() : none{} {}
  constexpr ~Ghost() {}
  char none;
  T value;
};
#if defined(__clang__)
template <class T>
[[clang::no_destroy]] inline Ghost<T> ghost{};
#else
template <class T>
inline constexpr Ghost<T> ghost{};
#endif

/// A pointer to a field as a template argument. clang before 18 takes it only inside a class.
template <class P>
struct FieldPointer {
  P pointer;
};

/// The I-th of its arguments. (A struct, because nvcc cannot expand packs over lambdas.)
template <std::size_t I>
struct NthField {
  template <class First, class... Rest>
  constexpr auto operator()(First& first, Rest&... rest) const {
    if constexpr (I == 0) {
      return FieldPointer<First*>{&first};
    } else {
      return NthField<I - 1>{}(rest...);
    }
  }
};

/// The identifier at the end of `... {(& ghost<MLP>.Ghost<MLP>::value.MLP::l1)}]`, whatever brackets follow it.
template <auto Pointer>
constexpr std::string_view field_name() {
  constexpr auto in_identifier = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c < 0;
  };
  const std::string_view text = __PRETTY_FUNCTION__;
  // g++ goes on with `; std::string_view = ...`.
  std::size_t end = text.rfind('}');
  while (!in_identifier(text[end - 1])) --end;
  std::size_t begin = end;
  while (in_identifier(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

template <class T, std::size_t N, std::size_t... I>
constexpr std::array<std::string_view, N> field_names(std::index_sequence<I...>) {
  return {field_name<with_fields<N>(ghost<T>.value, NthField<I>{})>()...};
}

}  // namespace detail

/// Calls `f(name, field)` for every field of an aggregate, in order. Say `for_each_field<true>` for an aggregate that
/// has one empty base.
template <bool HasBase = false, class T, class F>
constexpr void for_each_field(T& object, F&& f) {
  using Aggregate = std::remove_const_t<T>;
  constexpr std::size_t n = detail::count_fields<Aggregate, HasBase>();
  static_assert(n > 0 || std::is_empty_v<Aggregate>, "C arrays and references have no place here: use std::array");
  if constexpr (n > 0) {
    constexpr auto names = detail::field_names<Aggregate, n>(std::make_index_sequence<n>{});
    detail::with_fields<n>(object, [&](auto&... fields) {
      std::size_t i = 0;
      (f(names[i++], fields), ...);
    });
  }
}

}  // namespace dnn::inline DNN_ABI
