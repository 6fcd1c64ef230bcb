/// What tests of GPU kernels need to hand them data and to get it back.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dnn/core/dtype.hpp"
#include "dnn/core/random.hpp"
#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/stream.hpp"
#include "dnn/kernels/gpu/scratch.hpp"

namespace device_test {

/// A copy of a vector on the current device, of which the first element lies `shift` elements behind an aligned
/// address.
template <class T>
class DeviceVector {
 public:
  explicit DeviceVector(const std::vector<T>& values, std::size_t shift = 0)
      : size_(values.size()), shift_(shift), memory_(static_cast<std::int64_t>(size_ + shift + 1)) {
    copy(data(), values.data(), cudaMemcpyHostToDevice);
  }

  T* data() const { return memory_.data() + shift_; }
  std::vector<T> values() const {
    std::vector<T> out(size_);
    copy(out.data(), data(), cudaMemcpyDeviceToHost);
    return out;
  }

 private:
  void copy(T* to, const T* from, cudaMemcpyKind kind) const {
    dnn::cu::check(cudaMemcpyAsync(to, from, size_ * sizeof(T), kind, dnn::cu::current_stream()));
    dnn::cu::check(cudaStreamSynchronize(dnn::cu::current_stream()));
  }

  std::size_t size_, shift_;
  dnn::kernels::gpu::Scratch<T> memory_;
};

/// Numbers from -1 to 1.
template <class T>
std::vector<T> random_numbers(std::int64_t n, std::uint64_t seed) {
  const dnn::RandomStream stream{seed, 0};
  std::vector<T> out(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = dnn::cast_scalar<T>(2 * stream.uniform_double(i) - 1);
  return out;
}

template <class T>
double as_double(T x) {
  return static_cast<double>(dnn::cast_scalar<double>(x));
}

/// Half a unit in the last place of 1.
template <class T>
double rounding() {
  switch (dnn::dtype_of<T>()) {
    case dnn::DType::float16: return 0x1p-11;
    case dnn::DType::bfloat16: return 0x1p-8;
    case dnn::DType::float32: return 0x1p-24;
    default: return 0x1p-53;
  }
}

/// What TF32 keeps of a float.
inline double tf32(double x) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  return static_cast<double>(std::bit_cast<float>((bits + 0x1000u) & 0xffffe000u));
}

}  // namespace device_test
