/// Batches on their way to a device.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <utility>

#include "dnn/cuda/stream.hpp"
#include "dnn/datasets/example.hpp"

namespace dnn::inline DNN_ABI {

#if DNN_CUDA
namespace detail {
/// Where a GPU's batches are copied. Never destroyed: the memory that is lent on it outlives every owner.
inline const cu::Stream& upload_stream(int device) {
  static auto& streams = *new std::array<const cu::Stream*, cu::max_devices>{};
  static std::mutex& mutex = *new std::mutex;
  std::lock_guard lock(mutex);
  auto& stream = streams[static_cast<std::size_t>(device)];
  if (!stream) stream = new cu::Stream;
  return *stream;
}
}  // namespace detail
#endif

/// Copies batches to a device. To a GPU they travel on a stream of their own, through pinned memory: since nobody waits
/// for the GPU in a training loop, the copy of a batch runs while the GPU still computes with the one before.
class Uploader {
 public:
  Batch operator()(const Batch& batch, Device device) {
#if DNN_CUDA
    if (device.kind == Device::Kind::cuda) return to_gpu(batch, device);
#endif
    Batch moved;
    for (const auto& array : batch) moved.push_back(array.to(device));
    moved.set_names(batch.names());
    return moved;
  }

 private:
#if DNN_CUDA
  Batch to_gpu(const Batch& batch, Device device) {
    const UsingDevice here(device);
    const cu::Stream& stream = detail::upload_stream(device.index);
    Batch moved;
    cu::Event arrived;
    for (const auto& array : batch) {
      if (array.device().kind == Device::Kind::cuda) {
        moved.push_back(array.to(device));  // where it is, other work may still write it
        continue;
      }
      const auto scope = cu::using_stream(stream);
      moved.push_back(array.to(device));
    }
    moved.set_names(batch.names());
    arrived.record(stream.get());
    cu::check(cudaStreamWaitEvent(cu::current_stream(), arrived.get(), 0));
    for (auto& array : moved) array.use_on_current_stream();
    // Kept for one batch more: the stream waits for the work on what it is given back.
    previous_ = moved;
    return moved;
  }

  Batch previous_;
#endif
};

}  // namespace dnn::inline DNN_ABI
