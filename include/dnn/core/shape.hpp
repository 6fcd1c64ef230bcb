/// Shapes: sizes of up to eight axes, row-major strides, axis and broadcasting arithmetic.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI {

inline constexpr int max_ndim = 8;

/// The sizes of an array's axes. Never negative; the product fits in 63 bits.
class Shape {
 public:
  Shape() noexcept = default;
  /// Throws ShapeError on a negative size, more than `max_ndim` axes, or a product that overflows.
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes) {
    if (sizes.size() > static_cast<std::size_t>(max_ndim)) {
      throw ShapeError("[shape] ", sizes.size(), " axes, at most ", max_ndim, " are supported");
    }
    ndim_ = static_cast<int>(sizes.size());
    for (int i = 0; i < ndim_; ++i) sizes_[static_cast<std::size_t>(i)] = sizes[static_cast<std::size_t>(i)];
    check();
  }

  int ndim() const noexcept { return ndim_; }
  /// The size of an axis, counted from the end when negative. Throws IndexError out of range.
  std::int64_t operator[](int axis) const {
    if (static_cast<unsigned>(axis) >= static_cast<unsigned>(ndim_)) [[unlikely]]
      axis = from_end(axis);
    return sizes_[static_cast<std::size_t>(axis)];
  }
  const std::int64_t* begin() const noexcept { return sizes_.data(); }
  const std::int64_t* end() const noexcept { return sizes_.data() + ndim_; }
  std::span<const std::int64_t> span() const noexcept { return {begin(), end()}; }

  /// The number of elements; 1 for a scalar.
  std::int64_t size() const noexcept {
    std::int64_t n = 1;
    for (const auto s : *this) n *= s;
    return n;
  }

  /// This shape with one axis changed, removed or inserted. Throws IndexError out of range.
  Shape with(int axis, std::int64_t size) const {
    Shape out = *this;
    axis = from_end(axis);
    out.sizes_[static_cast<std::size_t>(axis)] = size;
    out.check();
    return out;
  }
  Shape without(int axis) const {
    Shape out = *this;
    for (int i = from_end(axis); i + 1 < ndim_; ++i)
      out.sizes_[static_cast<std::size_t>(i)] = sizes_[static_cast<std::size_t>(i + 1)];
    out.sizes_[static_cast<std::size_t>(--out.ndim_)] = 0;
    return out;
  }
  Shape with_inserted(int axis, std::int64_t size) const {
    if (axis < 0 || axis > ndim_) throw IndexError("[shape] no place for an axis at ", axis, " in ", text());
    std::array<std::int64_t, max_ndim + 1> sizes{};
    for (int i = 0; i <= ndim_; ++i) {
      sizes[static_cast<std::size_t>(i)] = i < axis ? (*this)[i] : i == axis ? size : (*this)[i - 1];
    }
    return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(ndim_ + 1)));
  }
  /// Axes `first` to `last - 1`. Throws IndexError out of range.
  Shape slice(int first, int last) const {
    if (first < 0 || first > last || last > ndim_) {
      throw IndexError("[shape] no axes from ", first, " to ", last, " in ", text());
    }
    return Shape(std::span<const std::int64_t>(begin() + first, static_cast<std::size_t>(last - first)));
  }

  friend bool operator==(const Shape& a, const Shape& b) noexcept {
    if (a.ndim_ != b.ndim_) return false;
    const auto *p = a.begin(), *q = b.begin();
    while (p != a.end() && *p == *q) ++p, ++q;
    return p == a.end();
  }

 private:
  [[gnu::noinline]] int from_end(int axis) const {
    if (axis < -ndim_ || axis >= ndim_) throw IndexError("[shape] axis ", axis, " is out of range for ", text());
    return axis < 0 ? axis + ndim_ : axis;
  }
  void check() const {
    std::int64_t n = 1;
    for (const auto s : *this) {
      if (s < 0) throw ShapeError("[shape] negative size in ", text());
      if (s != 0 && __builtin_mul_overflow(n, s, &n)) {
        throw ShapeError("[shape] the number of elements of ", text(), " does not fit in 64 bits");
      }
    }
  }
  /// `(2, 3)`, `(3,)`, `()`.
  std::string text() const {
    std::string out = "(";
    for (int i = 0; i < ndim_; ++i) out += concat(i ? ", " : "", (*this)[i]);
    return out + (ndim_ == 1 ? ",)" : ")");
  }
  friend std::string to_text(const Shape& shape) { return shape.text(); }
  template <class Traits>
  friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Shape& shape) {
    return out << shape.text();
  }

  std::array<std::int64_t, max_ndim> sizes_{};
  int ndim_ = 0;
};

/// Row-major strides in elements.
inline std::array<std::int64_t, max_ndim> strides_of(const Shape& shape) noexcept {
  std::array<std::int64_t, max_ndim> strides{};
  std::int64_t step = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    strides[static_cast<std::size_t>(i)] = step;
    step *= shape.begin()[i];
  }
  return strides;
}

/// `axis` counted from the end when negative. Throws IndexError naming `op`.
inline int normalize_axis(std::int64_t axis, int ndim, std::string_view op) {
  const auto i = axis < 0 ? axis + ndim : axis;
  if (i < 0 || i >= ndim) {
    throw IndexError("[", op, "] axis ", axis, " is out of range for ", ndim, " dimension(s)");
  }
  return static_cast<int>(i);
}

/// NumPy's broadcast of two shapes. Throws ShapeError naming `op` and both shapes.
inline Shape broadcast_shapes(const Shape& a, const Shape& b, std::string_view op) {
  if (a == b) return a;
  const int ndim = a.ndim() > b.ndim() ? a.ndim() : b.ndim();
  std::array<std::int64_t, max_ndim> sizes{};
  for (int i = 0; i < ndim; ++i) {
    const int ia = i - (ndim - a.ndim()), ib = i - (ndim - b.ndim());
    const std::int64_t sa = ia < 0 ? 1 : a[ia], sb = ib < 0 ? 1 : b[ib];
    if (sa != sb && sa != 1 && sb != 1) {
      throw ShapeError("[", op, "] shapes ", a, " and ", b, " cannot be broadcast together");
    }
    sizes[static_cast<std::size_t>(i)] = sa == 1 ? sb : sa;
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(ndim)));
}

}  // namespace dnn::inline DNN_ABI
