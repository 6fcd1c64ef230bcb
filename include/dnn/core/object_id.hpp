/// Which object: its address and its type, since an object and its first member have the same address.
#pragma once

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

struct ObjectId {
  const void* address = nullptr;
  const void* type = nullptr;

  friend bool operator==(const ObjectId&, const ObjectId&) = default;
};

namespace detail {
template <class T>
inline constexpr char type_tag = 0;
}  // namespace detail

template <class T>
constexpr ObjectId id_of(const T& object) noexcept {
  return {static_cast<const void*>(&object), static_cast<const void*>(&detail::type_tag<T>)};
}

}  // namespace dnn::inline DNN_ABI
