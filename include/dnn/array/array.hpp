/// `Array`: data. A value handle to contiguous, row-major elements of one dtype on one device.
///
/// Copying an Array shares its elements; `copy()` duplicates them. `reshape` and slices of the leading axis share
/// storage with their source, everything else makes new arrays. Factories: `array/factories.hpp`.
/// Printing: `array/text.hpp`. Arithmetic: functions on Variables take Arrays as they are.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "dnn/core/dtype.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/shape.hpp"
#include "dnn/kernels/convert.hpp"
#include "dnn/kernels/elementwise.hpp"
#include "dnn/memory/storage.hpp"

namespace dnn::inline DNN_ABI {

class Array {
 public:
  /// No array: `defined()` is false, the shape (). What needs elements or a device throws ArgumentError.
  Array() noexcept = default;
  Array(const Array&) = default;
  Array(Array&&) noexcept = default;
  /// Of variables only: `a[0] = b` would change nothing but a handle about to die. `a[0].assign(b)` copies elements.
  Array& operator=(const Array&) & = default;
  Array& operator=(Array&&) & noexcept = default;
  /// Uninitialised elements on the current device. Throws ShapeError when the byte count overflows.
  explicit Array(const Shape& shape, DType dtype = float32, Device device = current_device())
      : shape_(shape), dtype_(dtype) {
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(shape.size(), static_cast<std::int64_t>(itemsize(dtype)), &bytes)) {
      throw ShapeError("[array] ", shape, " of ", dtype, " does not fit in 64-bit memory");
    }
    storage_ = Storage::allocate(static_cast<std::size_t>(bytes), device);
  }

  bool defined() const noexcept { return static_cast<bool>(storage_); }
  const Shape& shape() const noexcept { return shape_; }
  int ndim() const noexcept { return shape_.ndim(); }
  std::int64_t size() const noexcept { return shape_.size(); }
  DType dtype() const noexcept { return dtype_; }
  Device device() const { return storage().device(); }
  std::size_t nbytes() const noexcept { return static_cast<std::size_t>(size()) * itemsize(dtype_); }
  /// The length of the leading axis. Throws ShapeError for a scalar.
  std::int64_t length() const {
    if (ndim() == 0) throw ShapeError("[array] a 0-dimensional array has no length");
    return shape_[0];
  }

  std::byte* bytes() { return storage().data() + offset_; }
  const std::byte* bytes() const { return storage().data() + offset_; }

  /// The elements. Throws DTypeError unless T is the array's element type.
  template <class T>
  T* data() {
    check_type<T>();
    return reinterpret_cast<T*>(bytes());
  }
  template <class T>
  const T* data() const {
    check_type<T>();
    return reinterpret_cast<const T*>(bytes());
  }
  /// The same as a range. Throws DeviceError for an array on a GPU.
  template <class T>
  std::span<T> span() {
    expect_on_host();
    return {data<T>(), static_cast<std::size_t>(size())};
  }
  template <class T>
  std::span<const T> span() const {
    expect_on_host();
    return {data<T>(), static_cast<std::size_t>(size())};
  }
  /// One element; negative indices count from the end. Throws IndexError, DTypeError; DeviceError for an array on a
  /// GPU.
  template <class T, std::convertible_to<std::int64_t>... Index>
  T& at(Index... index) {
    expect_on_host();
    return data<T>()[flat_index({static_cast<std::int64_t>(index)...})];
  }
  template <class T, std::convertible_to<std::int64_t>... Index>
  const T& at(Index... index) const {
    expect_on_host();
    return data<T>()[flat_index({static_cast<std::int64_t>(index)...})];
  }
  /// The only element, converted to T; from a GPU it is fetched. Throws ShapeError unless there is exactly one.
  template <class T = double>
  T item() const {
    if (size() != 1) throw ShapeError("[item] an array of shape ", shape_, " is not a single element");
    T value;
    std::int64_t element = 0;  // as wide as any dtype
    copy_bytes(&element, Device{}, bytes(), device(), itemsize(dtype_));
    const UsingDevice host(Device{});
    kernels::convert(&value, dtype_of<T>(), &element, dtype_, 1);
    return value;
  }

  /// The same elements under another shape; one size may be -1. Shares storage. Throws ShapeError.
  Array reshape(std::span<const std::int64_t> sizes) const {
    std::array<std::int64_t, max_ndim> resolved{};
    std::int64_t known = 1;
    int unknown = -1;
    if (sizes.size() > max_ndim) throw ShapeError("[reshape] more than ", max_ndim, " axes");
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      resolved[i] = sizes[i];
      if (sizes[i] == -1 && unknown < 0) {
        unknown = static_cast<int>(i);
      } else if (sizes[i] < 0 || __builtin_mul_overflow(known, sizes[i], &known)) {
        throw ShapeError("[reshape] size ", sizes[i], " of axis ", i, " cannot be");
      }
    }
    if (unknown >= 0) {
      if (known == 0 || size() % known != 0) {
        throw ShapeError("[reshape] ", size(), " elements of shape ", shape_, " do not divide by ", known);
      }
      resolved[static_cast<std::size_t>(unknown)] = size() / known;
    } else if (known != size()) {
      throw ShapeError("[reshape] ", size(), " elements of shape ", shape_, " do not fit ", known, " places");
    }
    Array out = *this;
    out.shape_ = Shape(std::span<const std::int64_t>(resolved.data(), sizes.size()));
    return out;
  }
  Array reshape(std::initializer_list<std::int64_t> sizes) const {
    return reshape(std::span(sizes.begin(), sizes.size()));
  }
  Array reshape(const Shape& shape) const { return reshape(shape.span()); }

  /// Rows [begin, end) of the leading axis, sharing storage; Python's slice rules for negative and large bounds.
  Array slice(std::int64_t begin, std::int64_t end) const {
    const auto n = length();
    const auto bound = [n](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + n : i, 0, n); };
    begin = bound(begin);
    end = std::max(begin, bound(end));
    Array out = *this;
    out.shape_ = shape_.with(0, end - begin);
    out.offset_ += begin * row_bytes();
    return out;
  }
  /// Row i of the leading axis, without that axis; shares storage. Throws IndexError.
  Array operator[](std::int64_t i) const {
    const auto n = length();
    const auto row = i < 0 ? i + n : i;
    if (row < 0 || row >= n) throw IndexError("[array] index ", i, " is out of range for length ", n);
    Array out = *this;
    out.shape_ = shape_.without(0);
    out.offset_ += row * row_bytes();
    return out;
  }

  /// A new array with the same elements.
  Array copy() const {
    Array out(shape_, dtype_, device());
    copy_bytes(out.bytes(), device(), bytes(), device(), nbytes());
    return out;
  }
  /// The elements converted; itself when the dtype is the same. Floats are truncated to integers (at their
  /// range's end where they are beyond it, NaN to 0); anything but 0 is true.
  Array to(DType dtype) const {
    if (dtype == dtype_ && storage_) return *this;
    Array out(shape_, dtype, device());
    const UsingDevice scope(device());
    kernels::convert(out.bytes(), dtype, bytes(), dtype_, size());
    return out;
  }
  /// The elements on `device`; itself when it is there already. On the way to the host it waits for them. Throws
  /// DeviceError for a device that this program or machine does not have.
  Array to(Device to_device) const {
    if (to_device == device()) return *this;
    if (!DNN_CUDA) throw DeviceError("[array] no way from ", device(), " to ", to_device);
    Array out(shape_, dtype_, to_device);
    copy_bytes(out.bytes(), to_device, bytes(), device(), nbytes());
    return out;
  }
  /// Says that the current stream uses the elements, which were allocated on another one: their memory is not lent
  /// again before it is done with them. Nothing to do on the host.
  void use_on_current_stream() const { storage().use_on_current_stream(); }
  /// Sets every element.
  template <class T>
    requires(std::is_arithmetic_v<T>)
  void fill(T value) {
    std::int64_t element = 0;  // as wide as any dtype
    {
      const UsingDevice host(Device{});
      kernels::convert(&element, dtype_, &value, dtype_of<T>(), 1);
    }
    const UsingDevice scope(device());
    kernels::fill(bytes(), &element, itemsize(dtype_), size());
  }
  /// Overwrites the elements with those of `source`, on any device, converted to this dtype. Throws ShapeError unless
  /// shapes agree.
  void assign(const Array& source) {
    const std::byte* from = source.bytes();
    if (source.shape_ != shape_) throw ShapeError("[assign] shape ", source.shape_, " into ", shape_);
    if (source.device() != device()) {
      const Array converted = source.to(dtype_);
      return copy_bytes(bytes(), device(), converted.bytes(), source.device(), nbytes());
    }
    const UsingDevice scope(device());
    kernels::convert(bytes(), dtype_, from, source.dtype_, size());
  }

  /// True when nobody else holds the elements: they may be overwritten.
  bool unique() const noexcept { return storage_ && storage_->unique(); }
  /// True when both hold the same storage.
  bool shares_storage(const Array& other) const noexcept { return storage_ == other.storage_; }

  /// What elementwise kernels read.
  kernels::Operand operand() const { return {bytes(), dtype_, &shape_}; }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] static void throw_undefined() {
    throw ArgumentError(
        "[array] undefined array: default constructed, a gradient before backward(), or a parameter before its shape "
        "is known");
  }
  Storage& storage() const {
    if (!storage_) [[unlikely]]
      throw_undefined();
    return *storage_;
  }
  void expect_on_host() const {
#if DNN_CUDA
    if (storage().device().kind != Device::Kind::cpu) [[unlikely]] {
      throw DeviceError("[array] elements are on ", device(), "; copy them with .to(\"cpu\") first");
    }
#endif
  }
  template <class T>
  void check_type() const {
    if (dtype_of<T>() != dtype_) [[unlikely]] {
      if (!defined()) throw_undefined();
      throw DTypeError("[array] elements are ", dtype_, ", accessed as ", dtype_of<T>());
    }
  }
  std::int64_t row_bytes() const { return size() == 0 ? 0 : static_cast<std::int64_t>(nbytes()) / shape_[0]; }
  std::int64_t flat_index(std::initializer_list<std::int64_t> index) const {
    if (static_cast<int>(index.size()) != ndim()) {
      throw IndexError("[array] ", index.size(), " indices for an array of shape ", shape_);
    }
    std::int64_t flat = 0;
    int axis = 0;
    for (const auto i : index) {
      const auto n = shape_[axis++];
      const auto wrapped = i < 0 ? i + n : i;
      if (wrapped < 0 || wrapped >= n) {
        throw IndexError("[array] index ", i, " is out of range for axis ", axis - 1, " of length ", n);
      }
      flat = flat * n + wrapped;
    }
    return flat;
  }

  Ref<Storage> storage_;
  std::int64_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = float32;
};

/// Throws DeviceError unless all arrays are on one device.
inline void expect_same_device(std::string_view op, std::span<const Array> arrays) {
  for (const auto& array : arrays) {
    if (array.device() != arrays[0].device()) {
      throw DeviceError("[", op, "] operands on ", arrays[0].device(), " and ", array.device());
    }
  }
}

/// `float32 (2, 3)`: what error messages say of an array.
inline std::string to_text(const Array& array) {
  if (!array.defined()) return "no array";
  std::string out = concat(array.dtype(), " ", array.shape());
  if (array.device() != Device{}) out += concat(" on ", array.device());
  return out;
}

}  // namespace dnn::inline DNN_ABI
