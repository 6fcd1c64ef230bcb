/// Intrusive reference counting: the shared ownership of storages, variables and graph nodes.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "dnn/core/abi.hpp"

namespace dnn::inline DNN_ABI {

/// Base of objects owned by `Ref`. Counting is atomic: handles may be copied and dropped on any thread.
class RefCounted {
 public:
  RefCounted() noexcept = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void retain() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  /// True when this was the last reference: the caller then destroys the object.
  bool release() const noexcept {
    if (count_.load(std::memory_order_acquire) == 1) return true;
    return count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  /// Of a new object that nobody else knows yet.
  void retain_first() const noexcept { count_.store(1, std::memory_order_relaxed); }
  bool unique() const noexcept { return count_.load(std::memory_order_acquire) == 1; }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<std::uint32_t> count_{0};
};

/// Destroys an object whose last `Ref` is gone; types that free themselves otherwise overload this. Classes with a
/// virtual destructor name their base: `using Disposable = Base;`, and one function does it for all of them.
template <class T>
[[gnu::noinline]] void dispose(T* object) noexcept {
  delete object;
}

template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  Ref(std::nullptr_t) noexcept {}
  explicit Ref(T* object) noexcept : object_(object) {
    if (object_) object_->retain();
  }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(other.detach()) {}
  template <class U>
  Ref(const Ref<U>& other) noexcept : Ref(static_cast<T*>(other.get())) {}
  template <class U>
  Ref(Ref<U>&& other) noexcept : object_(other.detach()) {}
  Ref& operator=(Ref other) noexcept {
    T* const previous = object_;
    object_ = other.object_;
    other.object_ = previous;
    return *this;
  }
  ~Ref() { reset(); }

  /// Owns a new object: no count has to be raised that others may be changing.
  static Ref of_new(T* object) noexcept {
    object->retain_first();
    Ref ref;
    ref.object_ = object;
    return ref;
  }

  void reset() noexcept {
    T* const object = detach();
    if (!object || !object->release()) return;
    if constexpr (requires { typename T::Disposable; }) dispose(static_cast<typename T::Disposable*>(object));
    else dispose(object);
  }
  /// Gives up ownership without releasing it.
  T* detach() noexcept {
    T* const object = object_;
    object_ = nullptr;
    return object;
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) noexcept { return a.object_ == b.object_; }

 private:
  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>::of_new(new T(std::forward<Args>(args)...));
}

}  // namespace dnn::inline DNN_ABI
