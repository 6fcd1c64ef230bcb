/// Streams and events. Each thread has a current stream for each device; it starts as the device's default stream.
///
/// That is CUDA's legacy default stream, shared by all threads: arrays may be handed from one thread to another without
/// a thought, and kernels of other libraries are in order with ours.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <array>
#include <cstddef>
#include <utility>

#include "dnn/cuda/device.hpp"
#include "dnn/cuda/runtime.hpp"

namespace dnn::inline DNN_ABI::cu {

class Stream;

/// A point in a stream that others can wait for.
class Event {
 public:
  explicit Event(bool timed = false) {
    check(cudaEventCreateWithFlags(&event_, timed ? cudaEventDefault : cudaEventDisableTiming));
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~Event() {
    if (event_) cudaEventDestroy(event_);
  }

  cudaEvent_t get() const noexcept { return event_; }
  /// After the work that the stream has been given so far.
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream)); }
  /// Blocks the host.
  void synchronize() const { check(cudaEventSynchronize(event_)); }
  bool done() const {
    const auto state = cudaEventQuery(event_);
    if (state == cudaErrorNotReady) {
      cudaGetLastError();  // or the next kernel of Thrust takes it for its own
      return false;
    }
    check(state);
    return true;
  }
  /// Milliseconds from `start` to this event; both timed and done.
  float since(const Event& start) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Work in order, independent of other streams. Belongs to the device that was current when it was made.
class Stream {
 public:
  Stream() : device_(current_device()) { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  Stream(Stream&& other) noexcept : device_(other.device_), stream_(std::exchange(other.stream_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~Stream() {
    if (stream_) cudaStreamDestroy(stream_);
  }

  cudaStream_t get() const noexcept { return stream_; }
  int device() const noexcept { return device_; }
  /// Blocks the host until the work given so far is done.
  void synchronize() const { check(cudaStreamSynchronize(stream_)); }
  /// What comes later waits for the event.
  void wait(const Event& event) { check(cudaStreamWaitEvent(stream_, event.get(), 0)); }

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
};

namespace detail {
inline cudaStream_t& stream_slot(int device) noexcept {
  static thread_local constinit std::array<cudaStream_t, max_devices> streams{};
  return streams[static_cast<std::size_t>(device)];
}
}  // namespace detail

/// Where this thread's work on the current device goes; null is the default stream.
inline cudaStream_t current_stream() { return detail::stream_slot(current_device()); }
inline void synchronize_stream() { check(cudaStreamSynchronize(current_stream())); }

/// Makes a stream current on its device for a scope, in this thread. It does not wait for other streams.
class [[nodiscard]] UsingStream {
 public:
  explicit UsingStream(const Stream& stream)
      : device_(stream.device()), previous_(std::exchange(detail::stream_slot(device_), stream.get())) {}
  UsingStream(const UsingStream&) = delete;
  UsingStream& operator=(const UsingStream&) = delete;
  ~UsingStream() { detail::stream_slot(device_) = previous_; }

 private:
  int device_;
  cudaStream_t previous_;
};
inline UsingStream using_stream(const Stream& stream) { return UsingStream(stream); }

}  // namespace dnn::inline DNN_ABI::cu

#endif
