/// The part of the CUDA runtime that dnn uses, under CUDA's names, on the emulated machine.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include "dnn/cuda/host/functions.hpp"
#include "dnn/cuda/host/machine.hpp"
#include "dnn/cuda/host/types.hpp"
#include "dnn/cuda/op.hpp"

namespace dnn::inline DNN_ABI::cu::host {

/// Runs the body of an API function unless the machine is broken, and keeps its error for cudaGetLastError.
template <class Body>
cudaError_t api(Body&& body) {
  Call call;
  cudaError_t error = machine().broken() ? machine().broken()->code : body(machine());
  if (error == cudaSuccess && machine().broken()) error = machine().broken()->code;
  if (error != cudaSuccess) last_error() = error;  // cudaErrorNotReady, too
  return error;
}
/// The same with a stream.
template <class Body>
cudaError_t api(cudaStream_t handle, Body&& body) {
  return api([&](Machine& m) {
    const auto stream = m.stream(handle, current_device());
    return stream ? body(m, stream) : cudaErrorInvalidResourceHandle;
  });
}

/// One end of a copy.
struct Place {
  std::byte* address;
  std::size_t bytes;
  int device;  ///< -1: the host

  Place(Machine& m, const void* p, std::size_t n)
      : address(static_cast<std::byte*>(const_cast<void*>(p))), bytes(n), device(m.owner(p)) {}

  bool on_host() const noexcept { return device < 0; }
  bool pinned(const Machine& m) const noexcept { return on_host() && m.is_pinned(address, bytes); }
  /// Whether a copy may be asked for.
  bool good(Machine& m) const { return address && (on_host() || m.device(device).arena.holds(address, bytes, false)); }
  /// When the copy's turn has come: whether it may be made.
  bool open(Machine& m) const {
    if (on_host()) return true;
    m.open(device);
    if (m.device(device).arena.holds(address, bytes, true)) return true;
    m.break_with({cudaErrorIllegalAddress, concat("a copy of ", bytes, " bytes goes beyond an allocation")});
    return false;
  }
};

inline cudaError_t copy(Machine& m, const std::shared_ptr<CUstream_st>& stream, void* to, const void* from,
                        std::size_t bytes, cudaMemcpyKind kind) {
  if (bytes == 0) return cudaSuccess;
  const Place target(m, to, bytes), source(m, from, bytes);
  if (!target.good(m) || !source.good(m)) return cudaErrorInvalidValue;
  const auto actual = source.on_host() ? (target.on_host() ? cudaMemcpyHostToHost : cudaMemcpyHostToDevice)
                                       : (target.on_host() ? cudaMemcpyDeviceToHost : cudaMemcpyDeviceToDevice);
  if (kind != cudaMemcpyDefault && kind != actual) return cudaErrorInvalidMemcpyDirection;
  const bool pageable = (source.on_host() && !source.pinned(m)) || (target.on_host() && !target.pinned(m));
  if (pageable && !m.outside_capture(stream.get())) return cudaErrorStreamCaptureUnsupported;
  const auto point = m.submit(stream, [&m, target, source] {
    if (target.open(m) && source.open(m)) std::memmove(target.address, source.address, source.bytes);
  });
  if (target.on_host()) {
    if (target.pinned(m)) std::memset(to, poison, bytes);  // whoever does not wait sees no result
    else m.run(point);
  }
  return cudaSuccess;
}

/// A kernel's arguments, from pointers to them.
template <class... Parameters, std::size_t... I>
std::tuple<Parameters...> argument_values(void** arguments, std::index_sequence<I...>) {
  return {*static_cast<Parameters*>(arguments[I])...};
}

/// Whether an argument is a pointer to host memory, or a struct that holds one. Of structs only where a compiler can
/// tell members from padding, not of the large ones, tables of which a part is filled, and not beside AddressSanitizer,
/// whose shadow lies where two small numbers side by side seem to point to.
template <class Value>
bool leads_to_host([[maybe_unused]] const Machine& m, [[maybe_unused]] Value value) {
  if constexpr (std::is_pointer_v<Value>) {
    return value && m.owner(value) < 0 && !m.is_pinned(value, 1);
  }
#if defined(__has_builtin) && !DNN_ADDRESS_SANITIZER
#if __has_builtin(__builtin_clear_padding)
  else if constexpr (std::is_class_v<Value> && sizeof(Value) >= sizeof(void*) && sizeof(Value) <= 1024) {
    __builtin_clear_padding(&value);
    for (std::size_t at = 0; at + sizeof(void*) <= sizeof(Value); at += alignof(void*)) {
      std::uintptr_t word;
      std::memcpy(&word, reinterpret_cast<const std::byte*>(&value) + at, sizeof word);
      const auto* p = reinterpret_cast<const void*>(word);
      if (word >> 32 != 0 && m.owner(p) < 0 && !m.is_pinned(p, 1) && Machine::is_mapped(p)) return true;
    }
  }
#endif
#endif
  return false;
}
/// The first argument of a kernel that leads to host memory, counted from 0, or -1.
template <class... Values>
int first_host_argument(const Machine& m, const Values&... values) {
  int i = 0, found = -1;
  ((found = found < 0 && leads_to_host(m, values) ? i : found, ++i), ...);
  return found;
}

/// For a caching allocator: from here on in the stream, `bytes` of a block are new. They are poisoned, and what follows
/// them is guarded.
inline void fresh(void* block, std::size_t bytes, cudaStream_t handle) {
  api(handle, [&](Machine& m, const std::shared_ptr<CUstream_st>& stream) {
    m.submit(stream, [&m, block, bytes, device = m.owner(block)] {
      m.open(device);
      m.device(device).arena.resize(static_cast<std::byte*>(block), bytes);
    });
    if (stream->capture) ++stream->capture->graph->notes;
    return cudaSuccess;
  });
}

// Errors

inline const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevicePointer: return "cudaErrorInvalidDevicePointer";
    case cudaErrorInvalidMemcpyDirection: return "cudaErrorInvalidMemcpyDirection";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorPeerAccessUnsupported: return "cudaErrorPeerAccessUnsupported";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorIllegalState: return "cudaErrorIllegalState";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorPeerAccessAlreadyEnabled: return "cudaErrorPeerAccessAlreadyEnabled";
    case cudaErrorMisalignedAddress: return "cudaErrorMisalignedAddress";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorNotSupported: return "cudaErrorNotSupported";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureUnmatched: return "cudaErrorStreamCaptureUnmatched";
    case cudaErrorStreamCaptureUnjoined: return "cudaErrorStreamCaptureUnjoined";
    case cudaErrorStreamCaptureIsolation: return "cudaErrorStreamCaptureIsolation";
    case cudaErrorStreamCaptureImplicit: return "cudaErrorStreamCaptureImplicit";
    case cudaErrorCapturedEvent: return "cudaErrorCapturedEvent";
  }
  return "unrecognized error code";
}
inline const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorInvalidMemcpyDirection: return "invalid copy direction for memcpy";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorNotReady: return "device not ready";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorMisalignedAddress: return "misaligned address";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnjoined: return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation: return "dependency created on uncaptured work in another stream";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    default: return cudaGetErrorName(error);
  }
}
inline cudaError_t cudaPeekAtLastError() {
  Call call;
  const auto& broken = machine().broken();
  return broken ? broken->code : last_error();
}
inline cudaError_t cudaGetLastError() {
  const auto error = cudaPeekAtLastError();
  last_error() = cudaSuccess;
  return error;
}

// Devices

inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = machine().device_count();
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = current_device();
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  return api([&](Machine& m) {
    if (device < 0 || device >= m.device_count()) return cudaErrorInvalidDevice;
    current_device() = device;
    return cudaSuccess;
  });
}
inline cudaError_t cudaDeviceSynchronize() {
  return api([](Machine& m) {
    if (!m.outside_capture(nullptr)) return cudaErrorStreamCaptureUnsupported;
    m.run_device(current_device());
    return cudaSuccess;
  });
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api([&](Machine& m) {
    if (device < 0 || device >= m.device_count()) return cudaErrorInvalidDevice;
    switch (attribute) {
      case cudaDevAttrMaxThreadsPerBlock: *value = 1024; return cudaSuccess;
      case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 * 1024; return cudaSuccess;
      case cudaDevAttrWarpSize: *value = 32; return cudaSuccess;
      case cudaDevAttrMultiProcessorCount: *value = 4; return cudaSuccess;
      case cudaDevAttrComputeCapabilityMajor: *value = 9; return cudaSuccess;
      case cudaDevAttrComputeCapabilityMinor: *value = 0; return cudaSuccess;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(BlockRunner::shared_capacity);
        return cudaSuccess;
    }
    return cudaErrorInvalidValue;
  });
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api([&](Machine& m) {
    if (device < 0 || device >= m.device_count()) return cudaErrorInvalidDevice;
    *properties = {"emulated on the host",
                   m.device(device).arena.capacity(),
                   48 * 1024,
                   BlockRunner::shared_capacity,
                   32,
                   1024,
                   4,
                   9,
                   0};
    return cudaSuccess;
  });
}
inline cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return api([&](Machine& m) {
    if (std::min(device, peer) < 0 || std::max(device, peer) >= m.device_count()) return cudaErrorInvalidDevice;
    *can = device != peer;
    return cudaSuccess;
  });
}
inline cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int) {
  return api([&](Machine& m) {
    const int device = current_device();
    if (peer < 0 || peer >= m.device_count() || peer == device) return cudaErrorInvalidDevice;
    auto enabled = m.device(device).peers[static_cast<std::size_t>(peer)];
    if (enabled) return cudaErrorPeerAccessAlreadyEnabled;
    enabled = true;
    return cudaSuccess;
  });
}

// Memory

inline cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return api([&](Machine& m) {
    const int device = current_device();
    if (!m.outside_capture(nullptr, false)) return cudaErrorStreamCaptureUnsupported;
    m.open(device);
    *pointer = bytes == 0 ? nullptr : m.device(device).arena.allocate(bytes);
    return *pointer || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
template <class T>
cudaError_t cudaMalloc(T** pointer, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(pointer), bytes);
}
/// Waits for all work of the device, as CUDA does, and is therefore not for a capture.
inline cudaError_t cudaFree(void* pointer) {
  return api([&](Machine& m) {
    if (!pointer) return cudaSuccess;
    const int device = m.owner(pointer);
    if (device < 0) return cudaErrorInvalidValue;
    if (!m.outside_capture(nullptr)) return cudaErrorStreamCaptureUnsupported;
    m.run_device(device);
    m.open(device);
    if (m.broken()) return cudaSuccess;
    return m.device(device).arena.free(pointer) ? cudaSuccess : cudaErrorInvalidValue;
  });
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return api([&](Machine& m) {
    const auto& arena = m.device(current_device()).arena;
    *free = arena.free_bytes();
    *total = arena.capacity();
    return cudaSuccess;
  });
}
inline cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return api([&](Machine& m) {
    *pointer = std::malloc(bytes);
    if (!*pointer) return cudaErrorMemoryAllocation;
    m.pinned()[static_cast<std::byte*>(*pointer)] = bytes;
    return cudaSuccess;
  });
}
inline cudaError_t cudaFreeHost(void* pointer) {
  return api([&](Machine& m) {
    if (!pointer) return cudaSuccess;
    if (m.pinned().erase(static_cast<std::byte*>(pointer)) == 0) return cudaErrorInvalidValue;
    for (int i = 0; i < m.device_count(); ++i) m.run_device(i);
    std::free(pointer);
    return cudaSuccess;
  });
}
inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return api([&](Machine& m) {
    const int device = m.owner(pointer);
    void* p = const_cast<void*>(pointer);
    if (device >= 0) *attributes = {cudaMemoryTypeDevice, device, p, nullptr};
    else if (m.is_pinned(pointer, 1)) *attributes = {cudaMemoryTypeHost, current_device(), p, p};
    else *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, p};
    return cudaSuccess;
  });
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t stream = nullptr) {
  return api(stream, [&](Machine& m, const StreamHandle& s) { return copy(m, s, to, from, bytes, kind); });
}
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return api(nullptr, [&](Machine& m, const StreamHandle& s) {
    const auto error = copy(m, s, to, from, bytes, kind);
    m.run(s, s->submitted);
    return error;
  });
}
inline cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device, std::size_t bytes,
                                       cudaStream_t stream = nullptr) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    if (bytes > 0 && (m.owner(to) != to_device || m.owner(from) != from_device)) return cudaErrorInvalidValue;
    return copy(m, s, to, from, bytes, cudaMemcpyDeviceToDevice);
  });
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream = nullptr) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    if (bytes == 0) return cudaSuccess;
    const Place target(m, to, bytes);
    if (target.on_host() || !target.good(m)) return cudaErrorInvalidValue;
    m.submit(s, [&m, value, target] {
      if (target.open(m)) std::memset(target.address, value, target.bytes);
    });
    return cudaSuccess;
  });
}

// Streams and events

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  return api([&](Machine& m) {
    *stream = m.new_stream(current_device(), flags != cudaStreamNonBlocking);
    return cudaSuccess;
  });
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    if (!stream) return cudaErrorInvalidResourceHandle;
    m.drop_stream(s);
    return cudaSuccess;
  });
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return api(stream, [](Machine& m, const StreamHandle& s) {
    if (!m.outside_capture(s.get())) return cudaErrorStreamCaptureUnsupported;
    m.run(s, s->submitted);
    return cudaSuccess;
  });
}
/// Does one piece of work, so that whoever polls gets there.
inline cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return api(stream, [](Machine& m, const StreamHandle& s) {
    if (!m.outside_capture(s.get())) return cudaErrorStreamCaptureUnsupported;
    if (s->queue.empty()) return cudaSuccess;
    m.run(s, s->completed + 1);
    return cudaErrorNotReady;
  });
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  *event = new CUevent_st{current_device()};
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return api([&](Machine& m) {
    m.run(event->point);  // its work writes the time
    delete event;
    return cudaSuccess;
  });
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    if (event->device != s->device) return cudaErrorInvalidResourceHandle;
    m.run(event->point);
    event->point = {};
    event->capture = s->capture;
    if (s->capture) event->clock = s->capture->clocks[s.get()];
    else event->point = m.submit(s, [event] { event->time = std::chrono::steady_clock::now(); });
    return cudaSuccess;
  });
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return api([&](Machine& m) {
    if (event->capture.lock()) return cudaErrorCapturedEvent;
    m.run(event->point);
    return cudaSuccess;
  });
}
inline cudaError_t cudaEventQuery(cudaEvent_t event) {
  return api([&](Machine& m) {
    if (event->capture.lock()) return cudaErrorCapturedEvent;
    if (event->point.reached()) return cudaSuccess;
    m.run(event->point.stream, event->point.stream->completed + 1);
    return cudaErrorNotReady;
  });
}
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  return api([&](Machine&) {
    if (!start->point.stream || !stop->point.stream) return cudaErrorInvalidResourceHandle;
    if (!start->point.reached() || !stop->point.reached()) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(stop->time - start->time).count();
    return cudaSuccess;
  });
}
/// A stream that waits for an event of a capture takes part in it from then on.
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int = 0) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    const auto capture = event->capture.lock();
    if (!capture) {
      if (s->capture && event->point.stream) {
        s->capture->invalid = true;
        return cudaErrorStreamCaptureIsolation;
      }
      if (!event->point.reached() && event->point.stream != s) m.submit(s, [] {}, {event->point});
      return cudaSuccess;
    }
    if (s == m.device(s->device).default_stream || (s->capture && s->capture != capture)) {
      capture->invalid = true;
      return cudaErrorStreamCaptureImplicit;
    }
    s->capture = capture;
    auto& clock = capture->clocks[s.get()];
    for (const auto& [other, number] : event->clock) clock[other] = std::max(clock[other], number);
    return cudaSuccess;
  });
}

// Graphs

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    return m.begin_capture(s, mode == cudaStreamCaptureModeRelaxed);
  });
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    std::shared_ptr<CUgraph_st> captured;
    const auto error = m.end_capture(s, &captured);
    if (error == cudaSuccess) *graph = new CUgraph_st(*captured);
    return error;
  });
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return api(stream, [&](Machine&, const StreamHandle& s) {
    if (!s->capture) *status = cudaStreamCaptureStatusNone;
    else *status = s->capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}
inline cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (nodes) return cudaErrorInvalidValue;  // the emulator only counts
  *count = graph->nodes.size() - graph->notes;
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long = 0) {
  *executable = new CUgraphExec_st{std::make_shared<CUgraph_st>(*graph)};
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    m.launch_graph(s, executable->graph);
    return cudaSuccess;
  });
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

// Kernels

template <class... Parameters>
auto any_kernel(void (*kernel)(Parameters...)) noexcept {
  return reinterpret_cast<void (*)()>(kernel);
}
template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute attribute, int value) {
  return api([&](Machine& m) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (value < 0 || value > static_cast<int>(BlockRunner::shared_capacity)) return cudaErrorInvalidValue;
    m.device(current_device()).dynamic_shared[any_kernel(kernel)] = static_cast<std::size_t>(value);
    return cudaSuccess;
  });
}
template <class... Parameters>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*)(Parameters...), int block_size,
                                                          std::size_t) {
  *blocks = std::max(1, 2048 / std::max(block_size, 1));
  return cudaSuccess;
}

template <class... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, void** arguments,
                             std::size_t dynamic_shared = 0, cudaStream_t stream = nullptr) {
  return api(stream, [&](Machine& m, const StreamHandle& s) {
    const auto threads = std::uint64_t{block.x} * block.y * block.z;
    if (threads == 0 || threads > 1024 || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
        grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
      return cudaErrorInvalidConfiguration;
    }
    if (s->device != current_device()) return cudaErrorInvalidResourceHandle;
    if (dynamic_shared > 48 * 1024) {
      const auto& allowed = m.device(s->device).dynamic_shared;
      const auto found = allowed.find(any_kernel(kernel));
      if (found == allowed.end() || dynamic_shared > found->second) return cudaErrorInvalidValue;
    }
    auto values = argument_values<Parameters...>(arguments, std::index_sequence_for<Parameters...>{});
    const int wrong = std::apply([&](const auto&... value) { return first_host_argument(m, value...); }, values);
    m.submit(s, [&m, kernel, values, grid, block, dynamic_shared, wrong, device = s->device,
                 op = std::string(current_op())] {
      const auto body = [&] {
        if (wrong >= 0) {
          block_runner().fault(cudaErrorIllegalAddress, "its parameter ", wrong, " points to host memory");
        }
        std::apply(kernel, values);
      };
      m.run_kernel(device, op, body, grid, block, dynamic_shared);
    });
    return cudaSuccess;
  });
}

}  // namespace dnn::inline DNN_ABI::cu::host

// All that there is of the runtime.
using dnn::cu::host::cudaDeviceCanAccessPeer;
using dnn::cu::host::cudaDeviceEnablePeerAccess;
using dnn::cu::host::cudaDeviceGetAttribute;
using dnn::cu::host::cudaDeviceSynchronize;
using dnn::cu::host::cudaEventCreateWithFlags;
using dnn::cu::host::cudaEventDestroy;
using dnn::cu::host::cudaEventElapsedTime;
using dnn::cu::host::cudaEventQuery;
using dnn::cu::host::cudaEventRecord;
using dnn::cu::host::cudaEventSynchronize;
using dnn::cu::host::cudaFree;
using dnn::cu::host::cudaFreeHost;
using dnn::cu::host::cudaFuncSetAttribute;
using dnn::cu::host::cudaGetDevice;
using dnn::cu::host::cudaGetDeviceCount;
using dnn::cu::host::cudaGetDeviceProperties;
using dnn::cu::host::cudaGetErrorName;
using dnn::cu::host::cudaGetErrorString;
using dnn::cu::host::cudaGetLastError;
using dnn::cu::host::cudaGraphDestroy;
using dnn::cu::host::cudaGraphExecDestroy;
using dnn::cu::host::cudaGraphGetNodes;
using dnn::cu::host::cudaGraphInstantiate;
using dnn::cu::host::cudaGraphLaunch;
using dnn::cu::host::cudaLaunchKernel;
using dnn::cu::host::cudaMalloc;
using dnn::cu::host::cudaMallocHost;
using dnn::cu::host::cudaMemcpy;
using dnn::cu::host::cudaMemcpyAsync;
using dnn::cu::host::cudaMemcpyPeerAsync;
using dnn::cu::host::cudaMemGetInfo;
using dnn::cu::host::cudaMemsetAsync;
using dnn::cu::host::cudaOccupancyMaxActiveBlocksPerMultiprocessor;
using dnn::cu::host::cudaPeekAtLastError;
using dnn::cu::host::cudaPointerGetAttributes;
using dnn::cu::host::cudaSetDevice;
using dnn::cu::host::cudaStreamBeginCapture;
using dnn::cu::host::cudaStreamCreateWithFlags;
using dnn::cu::host::cudaStreamDestroy;
using dnn::cu::host::cudaStreamEndCapture;
using dnn::cu::host::cudaStreamIsCapturing;
using dnn::cu::host::cudaStreamQuery;
using dnn::cu::host::cudaStreamSynchronize;
using dnn::cu::host::cudaStreamWaitEvent;

#endif
