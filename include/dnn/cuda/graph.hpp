/// Recording what goes to a stream, to start all of it again with one call.
///
///     cu::Graph graph(stream, [&] { y = model(x); });   // recorded, not run
///     graph.launch();                                      // on the current stream, as often as one likes
///
/// A graph knows addresses and numbers: it reads and writes the memory that the recorded work had been given. Memory
/// that was allocated or given back meanwhile stays the graph's for as long as it lives; arrays made before must be
/// kept. What the host did in between is not part of it.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/stream.hpp"

namespace dnn::inline DNN_ABI::cu {

/// Work that cannot be recorded, and why.
struct CaptureError : CudaError {
  using CudaError::CudaError;
};

/// A recording's memory lives as long as this object: allocators that lend memory meanwhile look at it.
using GraphMemory = std::shared_ptr<const std::uint64_t>;

namespace detail {
inline const GraphMemory*& capturing_slot() noexcept {
  static thread_local constinit const GraphMemory* memory = nullptr;
  return memory;
}
inline GraphMemory new_graph_memory() {
  static std::atomic<std::uint64_t> count{0};
  return std::make_shared<const std::uint64_t>(++count);
}
}  // namespace detail

/// Whether this thread's work is being recorded.
inline bool is_capturing() noexcept { return detail::capturing_slot() != nullptr; }
/// The graph that it is recorded for; null when it is not.
inline const GraphMemory* capturing_memory() noexcept { return detail::capturing_slot(); }

/// For what a recording cannot hold: throws CaptureError that says so while this thread's work is being recorded.
inline void refuse_capture(std::string_view what) {
  if (is_capturing()) [[unlikely]] {
    const auto op = current_op();
    throw CaptureError("[", op.empty() ? std::string_view("capture") : op, "] cannot be recorded: ", what);
  }
}

class Graph {
 public:
  /// Calls work() with `stream` current and records what it starts there. Rethrows what work() throws.
  template <class Work>
  Graph(const Stream& stream, Work&& work) {
    refuse_capture("a recording inside another");
    const UsingStream scope(stream);
    check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeRelaxed));
    detail::capturing_slot() = &memory_;
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      detail::capturing_slot() = nullptr;
      if (cudaStreamEndCapture(stream.get(), &graph) == cudaSuccess) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    detail::capturing_slot() = nullptr;
    check(cudaStreamEndCapture(stream.get(), &graph));
    auto error = cudaGraphGetNodes(graph, nullptr, &size_);
    if (error == cudaSuccess) error = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(error);
  }
  Graph(Graph&& other) noexcept
      : memory_(std::move(other.memory_)), executable_(std::exchange(other.executable_, nullptr)), size_(other.size_) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(executable_, other.executable_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Graph() {
    if (executable_) cudaGraphExecDestroy(executable_);
  }

  /// How many kernels, copies and fills were recorded.
  std::size_t size() const noexcept { return size_; }
  /// Starts the recorded work on the current stream.
  void launch() const { check(cudaGraphLaunch(executable_, current_stream())); }

 private:
  GraphMemory memory_ = detail::new_graph_memory();
  cudaGraphExec_t executable_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dnn::inline DNN_ABI::cu

#endif
