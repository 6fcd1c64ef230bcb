/// A dictionary from keys to values: what an npz archive holds, and what an object's `serialize` writes and reads.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dnn/array/array.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/autograd/serializer.hpp"
#include "dnn/core/config.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"
#include "dnn/kernels/copy.hpp"

namespace dnn::inline DNN_ABI::serializers {

/// None, an array or a text.
using Value = std::variant<std::monostate, Array, std::string>;

/// Values by key, for example `predictor/l1/W`.
using Dictionary = std::map<std::string, Value, std::less<>>;

/// What a value is, for messages: `None`, `float32 (2, 3)`, `a text`.
inline std::string describe(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) return to_text(*array);
  return value.index() == 0 ? "None" : "a text";
}

/// True when `from` converts to `to` within NumPy's "same kind": bool, unsigned, signed, float is the order of kinds,
/// and a dtype goes to any of its own kind or of a later one.
constexpr bool can_cast(DType from, DType to) noexcept {
  constexpr auto kind = [](DType d) { return is_float(d) ? 3 : d == DType::boolean ? 0 : d == DType::uint8 ? 1 : 2; };
  return kind(from) <= kind(to);
}

/// Throws SerializationError unless `stored` can be copied into an array of this shape and dtype: the dtypes are of the
/// same kind, and the shape is the same or broadcasts to it.
inline void expect_copyable(const Array& stored, const Shape& shape, DType dtype, std::string_view where) {
  if (!can_cast(stored.dtype(), dtype)) {
    throw SerializationError(where, ": cannot turn the stored ", stored.dtype(), " into ", dtype);
  }
  const Shape& from = stored.shape();
  bool fits = from.ndim() <= shape.ndim();
  for (int i = 1; fits && i <= from.ndim(); ++i) {
    const auto size = from[from.ndim() - i];
    fits = size == 1 || size == shape[shape.ndim() - i];
  }
  if (!fits) {
    throw SerializationError(where, ": cannot put the stored shape ", from, " into shape ", shape);
  }
}

/// Copies `stored` into the elements of `target`, converting and broadcasting as NumPy's copyto does.
/// Throws SerializationError as `expect_copyable` does.
inline void copy_to(Array& target, const Array& stored, std::string_view where) {
  expect_copyable(stored, target.shape(), target.dtype(), where);
  if (stored.shape() == target.shape()) return target.assign(stored.to(target.device()));
  const UsingDevice here(Device{});
  const Array host = stored.to(Device{});
  Array broadcast(target.shape(), stored.dtype(), Device{});
  const auto own = strides_of(stored.shape());
  kernels::Strides strides{};
  for (int i = 1; i <= stored.ndim(); ++i) {
    const int from = stored.ndim() - i, to = target.ndim() - i;
    strides[static_cast<std::size_t>(to)] = stored.shape()[from] == 1 ? 0 : own[static_cast<std::size_t>(from)];
  }
  kernels::copy_strided(broadcast.bytes(), strides_of(target.shape()), host.bytes(), strides, target.shape(),
                        itemsize(stored.dtype()));
  target.assign(broadcast.to(target.device()));
}

/// Writes what it visits into a dictionary. Arrays share their elements with the object. Numbers and bools become 0-d
/// arrays of int64, float64 and bool, as Chainer writes them.
class DictionarySerializer final : public Serializer {
 public:
  explicit DictionarySerializer(Dictionary& target) : target_(target) {}

 protected:
  void on_parameter(Parameter& parameter) override { on_array(parameter.array()); }
  void on_array(Array& array) override {
    if (array.defined()) {
      put(array);
    } else {
      put(std::monostate{});
    }
  }
  void on_integer(std::int64_t& value) override { put(scalar(value)); }
  void on_real(double& value) override { put(scalar(value)); }
  void on_bool(bool& value) override { put(scalar(value)); }
  void on_string(std::string& value) override { put(value); }
  bool on_optional(bool has_value) override {
    if (!has_value) put(std::monostate{});
    return has_value;
  }

 private:
  void put(Value value) { target_.insert_or_assign(path(), std::move(value)); }

  Dictionary& target_;
};

/// The dictionary that `object` writes. Arrays are shared, not copied.
inline Dictionary to_dictionary(SerializableRef object) {
  Dictionary out;
  DictionarySerializer serializer(out);
  object.serialize(serializer);
  return out;
}

/// Where loading finds values: by key, which may be missing.
class ValueSource {
 public:
  virtual ~ValueSource() = default;
  /// Names the source in messages.
  virtual const std::string& name() const = 0;
  /// The value under `key`, null when there is none; valid until the source goes. Throws FileError when it is
  /// malformed.
  virtual const Value* find(const std::string& key) = 0;
  /// The first keys that start with `prefix`, at most `most`.
  virtual std::vector<std::string> keys(const std::string& prefix, std::size_t most) const = 0;
};

template <class Map>
std::vector<std::string> keys_of(const Map& map, const std::string& prefix, std::size_t most) {
  std::vector<std::string> keys;
  for (auto i = map.lower_bound(prefix); i != map.end() && i->first.starts_with(prefix) && keys.size() < most; ++i) {
    keys.push_back(i->first);
  }
  return keys;
}

/// A source over a dictionary that outlives it.
class DictionarySource final : public ValueSource {
 public:
  DictionarySource(const Dictionary& dictionary, std::string name) : dictionary_(dictionary), name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  const Value* find(const std::string& key) override {
    const auto found = dictionary_.find(key);
    return found == dictionary_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> keys(const std::string& prefix, std::size_t most) const override {
    return keys_of(dictionary_, prefix, most);
  }

 private:
  const Dictionary& dictionary_;
  std::string name_;
};

/// Which keys loading leaves alone: equal to a name, or those that a predicate accepts.
class IgnoreNames {
 public:
  IgnoreNames() = default;
  IgnoreNames(std::initializer_list<std::string_view> names) : names_(names.begin(), names.end()) {}
  IgnoreNames(std::vector<std::string> names) : names_(std::move(names)) {}
  IgnoreNames(std::string name) : names_{std::move(name)} {}
  IgnoreNames(const char* name) : names_{name} {}
  template <std::predicate<std::string_view> Predicate>
  IgnoreNames(Predicate predicate) : predicate_(std::move(predicate)) {}

  bool contains(const std::string& key) const {
    return std::find(names_.begin(), names_.end(), key) != names_.end() || (predicate_ && predicate_(key));
  }

 private:
  std::vector<std::string> names_;
  std::function<bool(std::string_view)> predicate_;
};

struct LoadOptions {
  std::string path = {};          ///< keys are looked for below it: "updater/model:main/" finds a model in a snapshot
  bool strict = true;             ///< false leaves values alone whose key is missing; true throws
  IgnoreNames ignore_names = {};  ///< full keys that are left alone
};

namespace detail {

/// What the two passes of loading share: keys, and the rules about missing and ignored ones.
class SourceVisitor : public Serializer {
 public:
  SourceVisitor(ValueSource& source, const LoadOptions& options) : source_(source), options_(options) {
    prefix_ = options.path;
    if (!prefix_.empty() && prefix_.back() != '/') prefix_ += '/';
  }

 protected:
  std::string key() const { return prefix_ + path(); }
  std::string where() const { return concat("[load] ", source_.name(), ": entry '", key(), "'"); }
  /// The value under the current path; null where the target is to be left alone. Throws when it is missing in strict
  /// mode.
  const Value* find() {
    if (options_.ignore_names.contains(key())) return nullptr;
    const Value* value = source_.find(key());
    if (value == nullptr && options_.strict) throw_missing();
    return value;
  }
  /// With what there is instead: in the innermost of the key's folders that holds anything.
  [[noreturn]] void throw_missing() const {
    constexpr std::size_t most = 8;
    std::string folder = key(), there_is;
    std::vector<std::string> known;
    do {
      if (!folder.empty()) folder.pop_back();
      folder.resize(folder.rfind('/') + 1);  // of nothing: npos + 1 is 0
      known = source_.keys(folder, most + 1);
    } while (known.empty() && !folder.empty());
    for (std::size_t i = 0; i < known.size() && i < most; ++i) there_is += concat(" ", known[i]);
    throw SerializationError(where(), " is missing; there is", known.empty() ? " nothing" : there_is,
                             known.size() > most ? " ..." : "", "; {.strict = false} leaves what is missing as it is");
  }
  /// The stored array; null where the target is to be left alone, which is also what None asks for.
  const Array* find_array() {
    const Value* value = find();
    if (value == nullptr || value->index() == 0) return nullptr;
    if (const auto* array = std::get_if<Array>(value)) return array;
    throw SerializationError(where(), ": an array or number is wanted, ", describe(*value), " is stored");
  }

  ValueSource& source_;
  const LoadOptions& options_;

 private:
  std::string prefix_;
};

/// Walks an object as if to save it, and checks that what it would write could be loaded. Changes nothing.
class LoadCheck final : public SourceVisitor {
 public:
  using SourceVisitor::SourceVisitor;

 protected:
  void on_parameter(Parameter& parameter) override {
    if (const Array* stored = find_array(); stored != nullptr && parameter.is_initialized()) {
      expect_copyable(*stored, parameter.shape(), parameter.dtype(), where());
    }
  }
  void on_array(Array& array) override {
    // Whether a missing key matters is known only when loading asks for it: an object may have another name for it.
    if (!options_.ignore_names.contains(key()) && source_.find(key()) == nullptr) return;
    if (const Array* stored = find_array(); stored != nullptr && array.defined()) {
      expect_copyable(*stored, array.shape(), array.dtype(), where());
    }
  }
};

class Loader final : public SourceVisitor {
 public:
  using SourceVisitor::SourceVisitor;
  bool is_loading() const override { return true; }

 protected:
  void on_parameter(Parameter& parameter) override {
    const Array* stored = find_array();
    if (stored == nullptr) return;
    if (!parameter.is_initialized()) parameter.set_array(Array(stored->shape(), config().dtype));
    copy_to(parameter.array(), *stored, where());
  }
  void on_array(Array& array) override {
    const Array* stored = find_array();
    if (stored == nullptr) return;
    if (array.defined()) {
      copy_to(array, *stored, where());
    } else {
      array = stored->copy().to(current_device());
    }
  }
  void on_integer(std::int64_t& value) override {
    if (const Array* stored = find_number(int64)) value = stored->item<std::int64_t>();
  }
  void on_real(double& value) override {
    if (const Array* stored = find_number(float64)) value = stored->item<double>();
  }
  void on_bool(bool& value) override {
    if (const Array* stored = find_number(boolean)) value = stored->item<bool>();
  }
  void on_string(std::string& value) override {
    const Value* stored = find();
    if (stored == nullptr || stored->index() == 0) return;
    const auto* text = std::get_if<std::string>(stored);
    if (text == nullptr) throw SerializationError(where(), ": a text is wanted, ", describe(*stored), " is stored");
    value = *text;
  }
  bool on_optional(bool has_value) override {
    if (options_.ignore_names.contains(key())) return has_value;
    if (const Value* stored = source_.find(key())) return stored->index() != 0;
    if (!source_.keys(key() + '/', 1).empty()) return true;  // an object, whose own keys follow
    if (options_.strict) throw_missing();
    return has_value;
  }

 private:
  const Array* find_number(DType dtype) {
    const Array* stored = find_array();
    if (stored == nullptr) return nullptr;
    if (stored->size() != 1 || !can_cast(stored->dtype(), dtype)) {
      throw SerializationError(where(), ": one ", dtype, " is wanted, ", *stored, " is stored");
    }
    return stored;
  }
};

}  // namespace detail

/// Loads `object` from `source` by Chainer's rules:
///
///  * A stored array is copied into the object's array as NumPy's copyto does it: converted within "same kind" (float64
///    to float32 and integers to floats, not floats to integers), and broadcast from a scalar or a row.
///  * An uninitialised parameter, or an array that is None, takes the stored shape.
///  * A stored None leaves its target alone; an optional becomes empty.
///  * Keys that nobody asks for are ignored. A missing key throws SerializationError in strict mode.
///
/// A first pass checks, without changing anything, all that the object would write in its present state: whatever is
/// malformed, every parameter that is missing, every shape or dtype that does not fit an array, is thrown before
/// anything is assigned. What only loading itself can find out (a number that is missing or of another kind, a state
/// that the object does not have yet, the object's own complaint) is thrown when it is met, after earlier values were
/// loaded.
inline void load(ValueSource& source, SerializableRef object, const LoadOptions& options = {}) {
  detail::LoadCheck check(source, options);
  object.serialize(check);
  detail::Loader loader(source, options);
  object.serialize(loader);
}

/// Loads `object` from a dictionary.
inline void from_dictionary(const Dictionary& dictionary, SerializableRef object, const LoadOptions& options = {}) {
  DictionarySource source(dictionary, "dictionary");
  load(source, object, options);
}

}  // namespace dnn::inline DNN_ABI::serializers
