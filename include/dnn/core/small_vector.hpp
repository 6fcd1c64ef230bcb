/// A vector that keeps its first `N` elements in place: the argument lists of functions and shapes never touch the
/// heap.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

template <class T, std::size_t N>
class SmallVector {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  SmallVector() noexcept = default;
  explicit SmallVector(std::size_t count) { resize(count); }
  SmallVector(std::initializer_list<T> values) : SmallVector(values.begin(), values.end()) {}
  template <std::input_iterator It>
  SmallVector(It first, It last) {
    for (; first != last; ++first) push_back(*first);
  }
  /// One element that is moved, which a list in braces would copy.
  static SmallVector of(T value) {
    SmallVector out;
    out.push_back(std::move(value));
    return out;
  }
  SmallVector(const SmallVector& other) : SmallVector(other.begin(), other.end()) {}
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(SmallVector other) noexcept {
    destroy();
    take(other);
    return *this;
  }
  ~SmallVector() { destroy(); }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T& back() noexcept { return data_[size_ - 1]; }
  const T& back() const noexcept { return data_[size_ - 1]; }

  template <class... Args>
  T& emplace_back(Args&&... args) {
    // The arguments may refer to elements, so those are moved only when the new one stands.
    if (size_ == capacity_) return push_back_growing(T(std::forward<Args>(args)...));
    T* slot = std::construct_at(data_ + size_, std::forward<Args>(args)...);
    ++size_;
    return *slot;
  }
  void push_back(T value) { emplace_back(std::move(value)); }
  void pop_back() noexcept { std::destroy_at(data_ + --size_); }
  void resize(std::size_t count) {
    while (size_ > count) pop_back();
    while (size_ < count) emplace_back();
  }
  void clear() noexcept { resize_down(0); }

  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    if (a.size_ != b.size_) return false;
    for (std::size_t i = 0; i < a.size_; ++i) {
      if (!(a[i] == b[i])) return false;
    }
    return true;
  }

 private:
  T* local() noexcept { return reinterpret_cast<T*>(storage_); }
  bool on_heap() const noexcept { return data_ != reinterpret_cast<const T*>(storage_); }

  void resize_down(std::size_t count) noexcept {
    while (size_ > count) pop_back();
  }
  T& push_back_growing(T value) {
    grow();
    return emplace_back(std::move(value));
  }
  [[gnu::noinline, gnu::cold]] void grow() {
    const std::size_t capacity = 2 * capacity_;
    T* data = std::allocator<T>{}.allocate(capacity);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(data + i, std::move(data_[i]));
      std::destroy_at(data_ + i);
    }
    if (on_heap()) std::allocator<T>{}.deallocate(data_, capacity_);
    data_ = data;
    capacity_ = capacity;
  }
  void destroy() noexcept {
    resize_down(0);
    if (on_heap()) std::allocator<T>{}.deallocate(data_, capacity_);
    data_ = local();
    capacity_ = N;
  }
  /// Precondition: this is empty and in place.
  void take(SmallVector& other) noexcept {
    if (other.on_heap()) {
      data_ = std::exchange(other.data_, other.local());
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, N);
    } else {
      for (T& value : other) emplace_back(std::move(value));
      other.resize_down(0);
    }
  }

  alignas(T) std::byte storage_[N * sizeof(T)];
  T* data_ = local();
  std::size_t size_ = 0;
  std::size_t capacity_ = N;
};

}  // namespace dnn::inline DNN_ABI
