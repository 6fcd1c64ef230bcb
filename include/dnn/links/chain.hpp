/// `Chain<D>`: a model as a plain struct. Each child is named once, where it is declared:
///
///     struct MLP : Chain<MLP> {
///       int n_units = 1000;
///       links::Linear l1{n_units}, l2{n_units}, l3{10};
///
///       Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
///     };
///     MLP model{.n_units = 100};
///
/// The parameters are then `/l1/W`, `/l1/b`, ... Fields that take part: Parameter, Array (saved, not trained), links,
/// and optionals, pointers, vectors, std::arrays, tuples and maps (by string) of these; elements are children by index
/// or key. An empty optional or pointer is no child. Everything else (numbers, functions) is left alone; state of such
/// types that has to be saved needs a `serialize(Serializer&)` of one's own, which is all that a link is asked for.
///
/// What the list would miss does not compile: links in a struct that is no Chain itself, fields that a class derived
/// from a Chain adds, C arrays, references.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "dnn/core/reflect.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

template <class T>
concept LinkMember = Serializable<T> || std::same_as<T, Parameter> || std::same_as<T, Array>;

template <class T>
concept PointerLike = requires(T& p) {
  *p;
  {static_cast<bool>(p)};
};
template <class T>
concept Container = requires(T& c) {
  typename T::value_type;
  c.begin() != c.end();
};

/// Stands for a link where a struct is initialised.
struct AnyLink {
  template <class T>
    requires(Serializable<T> || std::same_as<T, Parameter>)
  operator T&&() const noexcept;
};
/// Whether one of a struct's first fields is a link.
template <class T>
concept StructOfLinks = std::is_class_v<T> && std::is_aggregate_v<T> &&(
    requires { T{AnyLink{}}; } ||
    requires {
      T{Anything{}, AnyLink{}};
    } ||
    requires {
      T{Anything{}, Anything{}, AnyLink{}};
    });

/// Visits a field of a chain if it is, or holds, something that takes part.
template <class T>
void visit_field(Serializer& s, std::string_view name, T& field) {
  if constexpr (LinkMember<T>) {
    s(name, field);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_function_v<T>) {
    return;
  } else if constexpr (PointerLike<T>) {
    if constexpr (std::is_object_v<std::remove_reference_t<decltype(*field)>>) {
      if (field) visit_field(s, name, *field);
    }
  } else if constexpr (requires {
                         typename T::mapped_type;
                         requires std::convertible_to<typename T::key_type, std::string_view>;
                       }) {
    for (auto& [key, value] : field) visit_field(s, concat(name, "/", std::string_view(key)), value);
  } else if constexpr (Container<T>) {
    std::size_t index = 0;
    if constexpr (std::is_class_v<typename T::value_type> && !std::is_const_v<T>) {
      for (auto& element : field) visit_field(s, concat(name, "/", index++), element);
    }
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::apply(
        [&](auto&... element) {
          std::size_t index = 0;
          (visit_field(s, concat(name, "/", index++), element), ...);
        },
        field);
  } else {
    static_assert(!StructOfLinks<T>,
                  "a struct of links within a Chain has to be a Chain itself to be trained and saved");
  }
}

}  // namespace detail

template <class D>
class Chain : public Link<D> {
 public:
  void serialize(Serializer& s) {
    static_assert(std::is_aggregate_v<D>,
                  "Chain finds the fields of plain structs only: without constructors, private members and virtual "
                  "functions. Write `void serialize(Serializer& s)` yourself, as links::Linear does.");
    for_each_field<true>(static_cast<D&>(*this),
                         [&](std::string_view name, auto& field) { detail::visit_field(s, name, field); });
  }

  /// Whether T, a class derived from D, has fields that this `serialize` does not see.
  template <std::derived_from<D> T>
  friend constexpr bool hides_fields(const T*) {
    if constexpr (requires { requires std::same_as<decltype(&T::serialize), void (Chain::*)(Serializer&)>; }) {
      return sizeof(T) != sizeof(D);
    }
    return false;
  }
};

}  // namespace dnn::inline DNN_ABI
