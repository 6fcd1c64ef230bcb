/// Recording what goes to a stream, to start all of it again with one call.
///
///     cuda::Graph graph(stream, [&] { y = model(x); });   // recorded, not run
///     graph.launch();                                      // on the current stream, as often as one likes
///
/// A graph knows addresses and numbers: it reads and writes the memory that the recorded work had been given. What the
/// host did in between is not part of it.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <string_view>
#include <utility>

#include "dnn/cuda/runtime.hpp"
#include "dnn/cuda/stream.hpp"

namespace dnn::inline DNN_ABI::cuda {

/// Work that cannot be recorded, and why.
struct CaptureError : CudaError {
  using CudaError::CudaError;
};

namespace detail {
inline bool& capturing_slot() noexcept {
  static thread_local constinit bool capturing = false;
  return capturing;
}
}  // namespace detail

/// Whether this thread's work is being recorded.
inline bool is_capturing() noexcept { return detail::capturing_slot(); }

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
    detail::capturing_slot() = true;
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      detail::capturing_slot() = false;
      if (cudaStreamEndCapture(stream.get(), &graph) == cudaSuccess) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    detail::capturing_slot() = false;
    check(cudaStreamEndCapture(stream.get(), &graph));
    const auto error = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(error);
  }
  Graph(Graph&& other) noexcept : executable_(std::exchange(other.executable_, nullptr)) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(executable_, other.executable_);
    return *this;
  }
  ~Graph() {
    if (executable_) cudaGraphExecDestroy(executable_);
  }

  /// Starts the recorded work on the current stream.
  void launch() const { check(cudaGraphLaunch(executable_, current_stream())); }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace dnn::inline DNN_ABI::cuda

#endif
