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
/// and optionals, pointers, vectors, std::arrays and maps (by string) of these; elements are children by index or key.
/// An empty optional or pointer is no child. Everything else (numbers, functions) is left alone; state of such types
/// that has to be saved needs a `serialize(Serializer&)` of one's own, which is all that a link is asked for.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
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
};

}  // namespace dnn::inline DNN_ABI
