/// The one list of an object's fields: `void serialize(Serializer& s)`.
///
/// Links, optimizers, iterators, updaters and the trainer each have one. Saving, loading, listing parameters, copying
/// and moving between devices are all serializers that walk it:
///
///     void serialize(Serializer& s) {
///       s("W", W);
///       s("N", n_samples);
///       s("l1", l1);  // a child: its keys become "l1/..."
///     }
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dnn/array/array.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/object_id.hpp"

namespace dnn::inline DNN_ABI {

class Serializer;

template <class T>
concept Serializable = requires(T& object, Serializer& s) {
  object.serialize(s);
};

/// Visits named values. Keys are paths joined by '/', without a leading one: Chainer's npz names.
class Serializer {
 public:
  virtual ~Serializer() = default;

  /// True when values are being read into the objects.
  virtual bool is_loading() const { return false; }

  /// Visits `value` under `key`: a parameter, an array (undefined = None), a number, a bool, a string, an optional of
  /// these, an object with `serialize`, or a vector of such (children named by index).
  template <class T>
  void operator()(std::string_view key, T& value) {
    // Also when a value is refused: whoever catches that may go on with another key.
    const struct Restore {
      std::string& path;
      std::size_t length;
      ~Restore() { path.resize(length); }
    } restore{path_, path_.size()};
    if (!path_.empty()) path_ += '/';
    path_ += key;
    visit(value);
  }

  /// Visits an object under the current path: for containers that know their elements only by a base class.
  template <Serializable T>
  DNN_NO_DEVIRTUALIZE void object(T& value) {
    if constexpr (requires { hides_fields(static_cast<T*>(nullptr)); }) {
      static_assert(!hides_fields(static_cast<T*>(nullptr)),
                    "derived from a Chain, which does not see the fields that are added: make the base a member, or "
                    "write `void serialize(Serializer& s)` for all fields");
    }
    on_object(id_of(value));
    value.serialize(*this);
  }

  /// The path of the value that is being visited.
  const std::string& path() const noexcept { return path_; }

 protected:
  /// Called before what the object holds.
  virtual void on_object(ObjectId) {}
  virtual void on_parameter(Parameter&) {}
  virtual void on_array(Array&) {}
  virtual void on_integer(std::int64_t&) {}
  virtual void on_real(double&) {}
  virtual void on_bool(bool&) {}
  virtual void on_string(std::string&) {}
  /// A value that may be None. Called with whether there is one; returns whether there is one now: a loader then reads
  /// it by the call that follows.
  virtual bool on_optional(bool has_value) { return has_value; }

 private:
  template <class T>
  DNN_NO_DEVIRTUALIZE void visit(T& value) {
    if constexpr (Serializable<T>) {
      object(value);
    } else if constexpr (std::same_as<T, Parameter>) {
      on_parameter(value);
    } else if constexpr (std::same_as<T, Array>) {
      on_array(value);
    } else if constexpr (std::same_as<T, bool>) {
      on_bool(value);
    } else if constexpr (std::same_as<T, std::int64_t>) {
      on_integer(value);
    } else if constexpr (std::integral<T>) {
      auto wide = static_cast<std::int64_t>(value);
      on_integer(wide);
      if (!is_loading()) return;  // what is saved may be read by others at the same time
      if (static_cast<std::int64_t>(static_cast<T>(wide)) != wide) {
        throw SerializationError("[serializer] ", path_, ": ", wide, " does not fit the integer to be read");
      }
      value = static_cast<T>(wide);
    } else if constexpr (std::same_as<T, double>) {
      on_real(value);
    } else if constexpr (std::floating_point<T>) {
      auto wide = static_cast<double>(value);
      on_real(wide);
      if (is_loading()) value = static_cast<T>(wide);
    } else if constexpr (std::same_as<T, std::string>) {
      on_string(value);
    } else if constexpr (requires {
                           value.has_value();
                           value.emplace();
                         }) {
      if (on_optional(value.has_value())) {
        if (!value) value.emplace();
        visit(*value);
      } else {
        value.reset();
      }
    } else {
      static_assert(
          requires {
            value.begin();
            value.size();
          },
          "not serializable: give the type a serialize(Serializer&)");
      std::size_t index = 0;
      for (auto& element : value) (*this)(to_text(index++), element);
    }
  }

  std::string path_;
};

/// A reference to anything serializable: how optimizers and archives hold a model without knowing its type.
class SerializableRef {
 public:
  template <class T>
    requires(Serializable<std::remove_const_t<T>> && !std::same_as<std::remove_const_t<T>, SerializableRef>)
  SerializableRef(T& object)
      : object_(const_cast<void*>(static_cast<const void*>(&object))),
        serialize_([](void* o, Serializer& s) { s.object(*static_cast<std::remove_const_t<T>*>(o)); }) {}

  void serialize(Serializer& s) const { serialize_(object_, s); }

 private:
  void* object_;
  void (*serialize_)(void*, Serializer&);
};

}  // namespace dnn::inline DNN_ABI
