/// The emulated machine: devices, streams that run only when they are waited for, events, and errors that stay.
///
/// `DNN_EMULATOR_DEVICES` (default 2) devices of `DNN_EMULATOR_MEMORY` MiB (default 4096).
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/core/text.hpp"
#include "dnn/cuda/host/block.hpp"
#include "dnn/cuda/host/memory.hpp"
#include "dnn/cuda/host/schedule.hpp"
#include "dnn/cuda/host/types.hpp"

namespace dnn::inline DNN_ABI::cu::host {

using StreamHandle = std::shared_ptr<CUstream_st>;

/// A point in a stream: all of its work up to the one with this number.
struct Point {
  std::shared_ptr<CUstream_st> stream;
  std::uint64_t number = 0;

  bool reached() const noexcept;
};

struct Work {
  std::function<void()> run;
  std::vector<Point> after;  ///< in other streams
};

/// How far each stream of a capture has come: what a stream or event knows to be before it.
using Clock = std::map<const CUstream_st*, std::size_t>;

/// Streams whose work goes into a graph instead of being done.
struct Capture {
  std::shared_ptr<CUgraph_st> graph;
  const CUstream_st* origin;
  bool relaxed;  ///< memory may be allocated meanwhile
  bool invalid = false;
  std::map<const CUstream_st*, Clock> clocks = {};
};

}  // namespace dnn::inline DNN_ABI::cu::host

struct CUstream_st {
  int device = 0;
  bool waits_for_default = true;  ///< and the device's default stream for it
  std::deque<dnn::cu::host::Work> queue = {};
  std::uint64_t submitted = 0, completed = 0;
  std::shared_ptr<dnn::cu::host::Capture> capture = nullptr;
};

struct CUgraph_st {
  std::vector<std::function<void()>> nodes = {};  ///< in the order in which they were submitted
  std::size_t notes = 0;                          ///< those that a GPU would not have: `fresh`
};
struct CUgraphExec_st {
  std::shared_ptr<CUgraph_st> graph;
};

struct CUevent_st {
  int device = 0;
  dnn::cu::host::Point point = {};
  std::chrono::steady_clock::time_point time = {};
  std::weak_ptr<dnn::cu::host::Capture> capture = {};  ///< that it was recorded in last
  dnn::cu::host::Clock clock = {};
};

namespace dnn::inline DNN_ABI::cu::host {

inline bool Point::reached() const noexcept { return !stream || stream->completed >= number; }

class Machine {
 public:
  struct DeviceState {
    Arena arena;
    std::shared_ptr<CUstream_st> default_stream;
    std::vector<bool> peers;
    std::map<void (*)(), std::size_t> dynamic_shared = {};  ///< what kernels may have beyond 48 KB
  };

  Machine() {
    const auto count = number_from("DNN_EMULATOR_DEVICES", 2);
    const auto bytes = number_from("DNN_EMULATOR_MEMORY", 4096) << 20;
    for (std::size_t i = 0; i < count; ++i) {
      auto stream = std::make_shared<CUstream_st>();
      stream->device = static_cast<int>(i);
      devices_.push_back(
          std::unique_ptr<DeviceState>(new DeviceState{Arena(bytes), stream, std::vector<bool>(count, false)}));
      streams_.push_back(stream);
    }
  }

  int device_count() const noexcept { return static_cast<int>(devices_.size()); }
  DeviceState& device(int index) { return *devices_[static_cast<std::size_t>(index)]; }

  /// The device whose memory an address belongs to; -1 for the host's.
  int owner(const void* address) const noexcept {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      if (devices_[i]->arena.contains(address)) return static_cast<int>(i);
    }
    return -1;
  }

  std::shared_ptr<CUstream_st> stream(cudaStream_t handle, int current) {
    if (!handle) return device(current).default_stream;
    const auto found = std::find_if(streams_.begin(), streams_.end(), [&](auto& s) { return s.get() == handle; });
    return found == streams_.end() ? nullptr : *found;
  }
  cudaStream_t new_stream(int device, bool waits_for_default) {
    streams_.push_back(std::make_shared<CUstream_st>());
    streams_.back()->device = device;
    streams_.back()->waits_for_default = waits_for_default;
    return streams_.back().get();
  }
  void drop_stream(const StreamHandle& stream) {
    run(stream, stream->submitted);
    std::erase(streams_, stream);
  }

  Point submit(const StreamHandle& stream, std::function<void()> run, std::vector<Point> after = {}) {
    if (stream->capture) {
      auto& nodes = stream->capture->graph->nodes;
      nodes.push_back(std::move(run));
      stream->capture->clocks[stream.get()][stream.get()] = nodes.size();
      return {};
    }
    const auto& first = device(stream->device).default_stream;
    if (stream == first) {
      for (const auto& other : streams_) {
        if (other != first && other->device == stream->device && other->waits_for_default && !other->queue.empty()) {
          after.push_back({other, other->submitted});
        }
      }
    } else if (stream->waits_for_default && !first->queue.empty()) {
      after.push_back({first, first->submitted});
    }
    stream->queue.push_back({std::move(run), std::move(after)});
    return {stream, ++stream->submitted};
  }

  /// Does a stream's work, up to a number, and whatever it waits for.
  void run(std::shared_ptr<CUstream_st> stream, std::uint64_t number) {
    while (stream->completed < number && !broken_) {
      Work work = std::move(stream->queue.front());
      stream->queue.pop_front();
      for (const auto& point : work.after) run(point.stream, point.number);
      if (broken_) break;
      work.run();
      if (!broken_) ++stream->completed;
    }
  }
  void launch_graph(const StreamHandle& stream, const std::shared_ptr<CUgraph_st>& graph) {
    submit(stream, [this, graph] {
      for (const auto& node : graph->nodes) {
        if (!broken_) node();
      }
    });
  }
  void run(const Point& point) {
    if (point.stream) run(point.stream, point.number);
  }
  /// Does all work of a device, stream by stream in the schedule's order; in a random schedule interleaved.
  void run_device(int index) {
    std::vector<std::shared_ptr<CUstream_st>> pending;
    while (!broken_) {
      pending.clear();
      for (const auto& s : streams_) {
        if (s->device == index && !s->queue.empty()) pending.push_back(s);
      }
      if (pending.empty()) return;
      switch (schedule().order) {
        case Schedule::Order::forward: run(pending.front(), pending.front()->submitted); break;
        case Schedule::Order::reverse: run(pending.back(), pending.back()->submitted); break;
        case Schedule::Order::random: {
          const auto& picked = pending[schedule().below(pending.size())];
          run(picked, picked->completed + 1);
        }
      }
    }
  }

  /// For calls that a capture forbids: false, and the captures concerned are worth nothing any more. `stream` null
  /// means all streams of all devices.
  bool outside_capture(const CUstream_st* stream, bool even_relaxed = true) {
    bool outside = true;
    for (const auto& s : streams_) {
      if (!s->capture || (stream && s.get() != stream) || (s->capture->relaxed && !even_relaxed)) continue;
      s->capture->invalid = true;
      outside = false;
    }
    return outside;
  }
  cudaError_t begin_capture(const StreamHandle& stream, bool relaxed) {
    if (stream == device(stream->device).default_stream) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture) return cudaErrorIllegalState;
    stream->capture = std::make_shared<Capture>(Capture{std::make_shared<CUgraph_st>(), stream.get(), relaxed});
    stream->capture->clocks[stream.get()];
    return cudaSuccess;
  }
  cudaError_t end_capture(const StreamHandle& stream, std::shared_ptr<CUgraph_st>* graph) {
    const auto capture = stream->capture;
    if (!capture || capture->origin != stream.get()) return cudaErrorStreamCaptureUnmatched;
    for (const auto& s : streams_) {
      if (s->capture == capture) s->capture = nullptr;
    }
    if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
    auto& known = capture->clocks[stream.get()];
    for (const auto& [other, clock] : capture->clocks) {
      if (const auto last = clock.find(other); last != clock.end() && known[other] < last->second) {
        return cudaErrorStreamCaptureUnjoined;
      }
    }
    *graph = capture->graph;
    return cudaSuccess;
  }

  /// Kernels of a device see its memory and that of its peers.
  void open_for_kernels(int index) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      devices_[i]->arena.open(static_cast<int>(i) == index || device(index).peers[i]);
    }
  }
  void open(int index) {
    if (index >= 0) device(index).arena.open(true);
  }
  void close() {
    for (auto& d : devices_) d->arena.open(false);
  }

  void run_kernel(int index, std::string_view op, const std::function<void()>& body, dim3 grid, dim3 block,
                  std::size_t dynamic_shared) {
    open_for_kernels(index);
    thread_ = ::pthread_self();
    auto fault = block_runner().run(op, body, grid, block, dynamic_shared);
    if (!fault) {
      if (const auto damage = this->device(index).arena.damage()) {
        fault = Fault{cudaErrorIllegalAddress, concat("kernel '", op.empty() ? "?" : op, "' ", *damage)};
      }
    }
    if (fault) break_with(*fault);
  }

  /// After a kernel's fault every call returns its error, as on a GPU.
  void break_with(const Fault& fault) {
    broken_ = fault;
    for (const auto& s : streams_) {
      s->queue.clear();
      s->completed = s->submitted;
    }
  }
  const std::optional<Fault>& broken() const noexcept { return broken_; }
  void forgive() noexcept { broken_.reset(); }

  std::map<const std::byte*, std::size_t>& pinned() noexcept { return pinned_; }
  bool is_pinned(const void* address, std::size_t bytes) const noexcept {
    const auto* p = static_cast<const std::byte*>(address);
    auto after = pinned_.upper_bound(p);
    return after != pinned_.begin() && p + bytes <= std::prev(after)->first + std::prev(after)->second;
  }

  /// Whether there is memory at an address.
  static bool is_mapped(const void* address) noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    unsigned char resident;
    return ::mincore(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(address) / page * page), 1, &resident) ==
           0;
  }

  std::recursive_mutex& mutex() noexcept { return mutex_; }

  /// Other libraries set their handlers too: ours is put back whenever the emulator is called.
  void handle_signals() {
    for (const int number : {SIGSEGV, SIGBUS}) {
      struct sigaction now {};
      ::sigaction(number, nullptr, &now);
      if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == &on_signal) continue;
      previous_[number == SIGBUS] = now;
      struct sigaction ours {};
      ours.sa_sigaction = &on_signal;
      ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
      ::sigaction(number, &ours, nullptr);
    }
    static thread_local constinit bool has_stack = false;
    if (has_stack) return;
    has_stack = true;
    stack_t stack{};
    ::sigaltstack(nullptr, &stack);
    if (!(stack.ss_flags & SS_DISABLE)) return;
    static thread_local std::unique_ptr<std::byte[]> memory(new std::byte[alternate_stack_bytes]);
    stack = {};
    stack.ss_sp = memory.get();
    stack.ss_size = alternate_stack_bytes;
    ::sigaltstack(&stack, nullptr);
  }

 private:
  static constexpr std::size_t alternate_stack_bytes = 64 * 1024;

  static std::size_t number_from(const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    if (!text || !*text) return otherwise;
    char* end = nullptr;
    const auto value = std::strtoul(text, &end, 10);
    if (*end || value == 0 || value > (1u << 20)) throw Error("[emulator] ", name, " is '", text, "'");
    return value;
  }

  static void on_signal(int number, siginfo_t* info, void* context);

  std::recursive_mutex mutex_;
  std::vector<std::unique_ptr<DeviceState>> devices_;
  std::vector<std::shared_ptr<CUstream_st>> streams_;
  std::map<const std::byte*, std::size_t> pinned_;
  std::optional<Fault> broken_;
  pthread_t thread_{};
  struct sigaction previous_[2]{};
};

/// Never destroyed, so that arrays may outlive every static object.
inline Machine& machine() {
  static Machine& machine = *new Machine;
  return machine;
}

/// A kernel that follows a wild pointer ends with a fault; a host that follows a device's pointer is told so and dies.
inline void Machine::on_signal(int number, siginfo_t* info, [[maybe_unused]] void* context) {
  Machine& self = machine();
#if defined(__x86_64__)
  if (block_runner().running() && ::pthread_equal(self.thread_, ::pthread_self())) {
    block_runner().note_signal(info->si_addr);
    const auto [function, stack] = Fiber::way_home();
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(function));
    registers[REG_RSP] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(stack));
    return;
  }
#endif
  if (self.owner(info->si_addr) >= 0) {
    constexpr std::string_view text =
        "[emulator] the host read or wrote memory of a CUDA device: copy the array with .to(\"cpu\") first\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  }
  ::sigaction(number, &self.previous_[number == SIGBUS], nullptr);
}

/// A call of the CUDA API: one at a time, and nobody sees a device's memory afterwards.
class Call {
 public:
  Call() : lock_(machine().mutex()) {
    if (!inside()) machine().handle_signals();
    previous_ = std::exchange(inside(), true);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    inside() = previous_;
    if (!previous_) machine().close();
  }

 private:
  static bool& inside() noexcept {
    static thread_local constinit bool inside = false;
    return inside;
  }
  std::lock_guard<std::recursive_mutex> lock_;
  bool previous_ = false;
};

/// The device of the calling thread.
inline int& current_device() noexcept {
  static thread_local constinit int device = 0;
  return device;
}
/// What cudaGetLastError returns next.
inline cudaError_t& last_error() noexcept {
  static thread_local constinit cudaError_t error = cudaSuccess;
  return error;
}

/// What broke the machine, in words; empty when it is whole.
inline std::string fault_text() {
  Call call;
  return machine().broken() ? machine().broken()->text : "";
}
/// For tests that plant faults: as if the process had been restarted, but that memory stays. A GPU does not forgive.
inline void forgive() {
  Call call;
  machine().forgive();
  last_error() = cudaSuccess;
}

}  // namespace dnn::inline DNN_ABI::cu::host

#endif
