/// Memory of one kernel call, from the caching pool.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dnn/memory/pool.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// `count` uninitialised elements until the end of the scope.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate_host(bytes_))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { deallocate_host(data_, bytes_); }

  T* data() const noexcept { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace dnn::inline DNN_ABI::kernels
