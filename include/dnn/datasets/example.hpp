/// What a data set is made of: examples, and batches of them.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/core/small_vector.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {
inline Array field_from(const Array& array) { return array; }
/// As in Chainer: an integer is int64, a floating-point number float64.
template <class T>
  requires(std::is_arithmetic_v<T>)
Array field_from(T value) {
  return scalar(value, std::same_as<T, bool> ? boolean : std::is_integral_v<T> ? int64 : float64);
}
template <class T>
concept Field = std::convertible_to<T, Array> || std::is_arithmetic_v<std::remove_cvref_t<T>>;
}  // namespace detail

/// One example: a few arrays, by position or also by name. `Example(image, 7)` has two fields, `example[0]` and
/// `example[1]`; `Example::named({{"x", image}, {"t", Array}})` can be asked for `example["x"]` too.
class Example {
 public:
  Example() = default;
  /// Fields are Arrays; numbers become 0-dimensional ones, integers int64, the others float64.
  template <detail::Field... Fields>
    requires(sizeof...(Fields) > 0)
  Example(const Fields&... fields) { (arrays_.push_back(detail::field_from(fields)), ...); }
  static Example named(std::initializer_list<std::pair<std::string_view, Array>> fields) {
    Example example;
    std::vector<std::string> names;
    for (const auto& [name, array] : fields) {
      names.emplace_back(name);
      example.arrays_.push_back(array);
    }
    example.names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
    return example;
  }

  std::size_t size() const noexcept { return arrays_.size(); }
  bool empty() const noexcept { return arrays_.empty(); }
  const Array* begin() const noexcept { return arrays_.begin(); }
  const Array* end() const noexcept { return arrays_.end(); }

  /// Field number i. Throws IndexError.
  template <std::integral Index>
  const Array& operator[](Index i) const {
    if (!std::in_range<std::size_t>(i) || static_cast<std::size_t>(i) >= size()) {
      throw IndexError("[example] field ", i, " of ", size());
    }
    return arrays_[static_cast<std::size_t>(i)];
  }
  /// The field of this name. Throws IndexError that lists the names there are.
  const Array& operator[](std::string_view name) const {
    std::string known;
    for (std::size_t i = 0; names_ && i < names_->size(); ++i) {
      if ((*names_)[i] == name) return arrays_[i];
      known += concat(" ", (*names_)[i]);
    }
    throw IndexError("[example] no field '", name, "'; there are", known.empty() ? " no names" : known);
  }
  const Array& operator[](const char* name) const { return (*this)[std::string_view(name)]; }

  /// The names of the fields, or null when they have only positions.
  const std::shared_ptr<const std::vector<std::string>>& names() const noexcept { return names_; }
  void set_names(std::shared_ptr<const std::vector<std::string>> names) {
    if (names && names->size() != size()) {
      throw ArgumentError("[example] ", names->size(), " names for ", size(), " fields");
    }
    names_ = std::move(names);
  }
  void push_back(Array field) { arrays_.push_back(std::move(field)); }

 private:
  SmallVector<Array, 2> arrays_;
  std::shared_ptr<const std::vector<std::string>> names_;
};

/// Examples joined: the same fields, each with one more axis in front. `model(batch[0], batch[1])`.
using Batch = Example;

}  // namespace dnn::inline DNN_ABI
