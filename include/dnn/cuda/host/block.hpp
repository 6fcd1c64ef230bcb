/// Runs the blocks of a kernel on the host, a fiber for each CUDA thread that waits for another.
///
/// A fiber is started only when a thread blocks: threads that never meet a barrier run one after the other on one
/// fiber. Stricter than a GPU: a barrier that a thread of the block never reaches, or reaches on another line, is an
/// error, and so is a warp function whose mask names lanes that have left or wait elsewhere. Shared memory is poisoned
/// before every block, and what lies behind it is checked afterwards.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"
#include "dnn/cuda/host/fiber.hpp"
#include "dnn/cuda/host/schedule.hpp"
#include "dnn/cuda/host/types.hpp"
#include "dnn/cuda/op.hpp"

// Where a kernel finds itself. One thread of the system runs kernels at a time, so these are plain variables.
inline constinit uint3 threadIdx{}, blockIdx{};
inline constinit dim3 blockDim{}, gridDim{};
inline constexpr int warpSize = 32;

namespace dnn::inline DNN_ABI::cu::host {

/// What fresh memory and shared memory hold: not a number in every float type, -1 in every integer type.
inline constexpr int poison = 0xff;
/// What lies around memory that may be written.
inline constexpr int guard = 0xa5;

struct Fault {
  cudaError_t code;
  std::string text;
};

/// A thread or block: `(0, 0, 0)`.
struct Index {
  uint3 value;
};
inline std::string to_text(const Index& i) { return concat("(", i.value.x, ", ", i.value.y, ", ", i.value.z, ")"); }

/// Some lanes of a warp that exchange values; each leaves a copy of its own and reads the others' when all are there.
struct Rendezvous {
  std::uint32_t mask = 0, arrived = 0, readers = 0;
  std::string_view op;
  Where where;
  std::size_t bytes = 0;
  std::vector<std::byte> values;  ///< of 32 lanes
};

class BlockRunner {
 public:
  static constexpr std::size_t shared_capacity = 232448, guard_bytes = 256;

  /// Runs every block of a grid. The fault that ended it, if any.
  std::optional<Fault> run(std::string_view op, const std::function<void()>& body, dim3 grid, dim3 block,
                           std::size_t dynamic_shared) {
    op_ = op;
    body_ = &body;
    gridDim = grid;
    blockDim = block;
    dynamic_bytes_ = dynamic_shared;
    threads_.resize(std::size_t{block.x} * block.y * block.z);
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      const auto rank = static_cast<unsigned int>(i);
      threads_[i].index = {rank % block.x, rank / block.x % block.y, rank / block.x / block.y};
      threads_[i].rank = rank;
    }
    const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
    order_ = schedule().order;
    // A random order of any number of blocks: steps of a length that has no divisor in common with it.
    std::uint64_t step = 1, first = 0;
    if (order_ == Schedule::Order::random) {
      first = schedule().below(blocks);
      do step = schedule().below(blocks) + 1;
      while (std::gcd(step, blocks) != 1);
    }
    for (std::uint64_t i = 0; i < blocks && !fault_; ++i) {
      std::uint64_t b = i;
      if (order_ == Schedule::Order::reverse) b = blocks - 1 - i;
      if (order_ == Schedule::Order::random) {
        b = first;
        first = (first + step) % blocks;
      }
      blockIdx = {static_cast<unsigned int>(b % grid.x), static_cast<unsigned int>(b / grid.x % grid.y),
                  static_cast<unsigned int>(b / grid.x / grid.y)};
      run_block();
    }
    body_ = nullptr;
    return std::exchange(fault_, std::nullopt);
  }

  bool running() const noexcept { return current_ != nullptr; }

  /// Ends the kernel. Called by its threads.
  /// `parts` own no memory: their destructors do not run.
  template <class... Parts>
  [[noreturn]] void fault(cudaError_t code, const Parts&... parts) {
    set_fault(code, concat(parts...));
    Fiber::abandon();
  }
  /// For a signal handler: the kernel ends with this fault, once its thread has been abandoned.
  void note_signal(const void* address) noexcept { signal_ = {true, address}; }

  /// The barrier of the block; how many threads came with a predicate that holds.
  int barrier(bool predicate, Where where) {
    Thread& self = expect_running("__syncthreads");
    if (exited_ > 0) {
      fault(cudaErrorLaunchFailure, "waits at the barrier of ", where, ", but ", exited_,
            " threads of the block have left the kernel");
    }
    if (waiting_.empty()) {
      barrier_where_ = where;
      barrier_count_ = 0;
    } else if (barrier_where_.line != where.line) {
      fault(cudaErrorLaunchFailure, "waits at the barrier of ", where, ", while thread ", Index{waiting_[0]->index},
            " waits at that of ", barrier_where_);
    }
    barrier_count_ += predicate;
    waiting_.push_back(&self);
    if (waiting_.size() < threads_.size()) {
      wait(self, "__syncthreads", where);
    } else {
      barrier_result_ = barrier_count_;
      release(waiting_, self);
    }
    return barrier_result_;
  }

  /// Calls read(values) when all lanes of `mask` have come to the same call; `values` has the 32 lanes' `mine`.
  template <class T, class Read>
  auto exchange(std::uint32_t mask, std::string_view op, const T& mine, Where where, Read&& read) {
    static_assert(std::is_trivially_copyable_v<T>);
    Rendezvous& meeting = meet(mask, op, &mine, sizeof(T), where);
    const auto result = read(reinterpret_cast<const T*>(meeting.values.data()));
    if (--meeting.readers == 0) spare_meetings_.push_back(&meeting);
    return result;
  }

  /// Until another thread of the block calls wake(key).
  void sleep(const void* key, std::string_view op, Where where) {
    Thread& self = expect_running(op);
    sleeping_.push_back({key, &self});
    wait(self, op, where);
  }
  void wake(const void* key) {
    std::erase_if(sleeping_, [&](const auto& sleeper) {
      if (sleeper.first == key) ready_.push_back(sleeper.second);
      return sleeper.first == key;
    });
  }

  unsigned int lane() const noexcept { return current_ ? current_->rank % 32 : 0; }

  /// The block's shared array of a place in the source.
  void* static_shared(const void* site, std::size_t bytes) {
    expect_running("shared memory");
    for (const auto& array : arrays_) {
      if (array.site == site) return array.data;
    }
    constexpr std::size_t limit = 48 * 1024, alignment = 128;
    if (static_bytes_ + bytes > limit) {
      fault(cudaErrorInvalidConfiguration, "more than ", limit, " bytes of static shared memory");
    }
    if (static_bytes_ + bytes + dynamic_bytes_ > shared_capacity) {
      fault(cudaErrorInvalidConfiguration, "more than ", shared_capacity, " bytes of shared memory");
    }
    std::byte* data = static_memory() + static_bytes_;
    std::memset(data, poison, bytes);
    static_bytes_ += (bytes + alignment - 1) / alignment * alignment;
    arrays_.push_back({site, data, bytes});
    return data;
  }
  void* dynamic_shared() {
    expect_running("shared memory");
    return dynamic_memory();
  }
  /// Whether an address is in the shared memory of the running block.
  bool is_shared(const void* address) const noexcept {
    return address >= shared_.get() && address < shared_.get() + shared_bytes;
  }

 private:
  struct Thread {
    uint3 index{};
    unsigned int rank = 0;
    Fiber* fiber = nullptr;
    std::string_view waits_for = {};  ///< empty: runs, or can
    Where where = {};
  };
  struct Warp {
    std::uint32_t absent = 0;  ///< lanes that have left or never were
    std::vector<Rendezvous*> meetings;
  };
  struct SharedArray {
    const void* site;
    std::byte* data;
    std::size_t bytes;
  };

  Thread& expect_running(std::string_view what) {
    if (!current_) throw Error("[emulator] ", what, " outside of a kernel");
    return *current_;
  }

  void run_block() {
    start_shared();
    warps_.resize((threads_.size() + 31) / 32);
    for (auto& warp : warps_) warp = {};
    if (threads_.size() % 32 != 0) warps_.back().absent = ~std::uint32_t{0} << threads_.size() % 32;
    exited_ = started_ = 0;
    if (order_ == Schedule::Order::random) {
      start_order_.resize(threads_.size());
      for (std::size_t i = 0; i < start_order_.size(); ++i) {
        start_order_[i] = static_cast<unsigned int>(i);
        std::swap(start_order_[i], start_order_[schedule().below(i + 1)]);
      }
    }
    while (exited_ < threads_.size()) {
      Fiber* fiber = next_fiber();
      if (!fiber) {
        set_fault(cudaErrorLaunchFailure, concat("no thread can go on:", waiting_text()));
        break;
      }
      fiber->resume();
      if (signal_.first) set_signal_fault();
      current_ = nullptr;
      if (fault_) break;
    }
    if (!fault_) check_shared();
    if (fault_) abandon_all();
  }

  /// The fiber of a thread that can go on, or one that starts another thread; null when there is neither.
  Fiber* next_fiber() {
    const bool can_start = started_ < threads_.size();
    std::size_t pick = 0;
    if (order_ == Schedule::Order::random) {
      const std::size_t choices = ready_.size() + can_start;
      if (choices == 0) return nullptr;
      pick = schedule().below(choices);
      if (pick == ready_.size()) return spare_fiber();
    } else {
      if (can_start) return spare_fiber();
      if (ready_.empty()) return nullptr;
    }
    Thread* thread = ready_[pick];
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(pick));
    make_current(*thread);
    return thread->fiber;
  }

  Fiber* spare_fiber() {
    if (spare_fibers_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>(&fiber_main));
      spare_fibers_.push_back(fibers_.back().get());
    }
    starting_ = spare_fibers_.back();
    spare_fibers_.pop_back();
    return starting_;
  }

  static void fiber_main();

  /// Runs threads until one cannot be started, or, in a random schedule, one has run.
  void run_threads(Fiber* self) {
    while (started_ < threads_.size()) {
      const std::size_t i = started_++;
      std::size_t rank = i;
      if (order_ == Schedule::Order::reverse) rank = threads_.size() - 1 - i;
      if (order_ == Schedule::Order::random) rank = start_order_[i];
      Thread& thread = threads_[rank];
      thread.fiber = self;
      thread.waits_for = {};
      make_current(thread);
      try {
        (*body_)();
      } catch (const std::exception& e) {
        set_fault(cudaErrorLaunchFailure, concat("threw an exception: ", e.what()));
      } catch (...) {
        set_fault(cudaErrorLaunchFailure, "threw an exception");
      }
      if (!fault_) leave(thread);
      if (fault_ || order_ == Schedule::Order::random) break;
    }
    spare_fibers_.push_back(self);
  }

  void make_current(Thread& thread) noexcept {
    current_ = &thread;
    threadIdx = thread.index;
  }

  void leave(const Thread& thread) {
    ++exited_;
    if (!waiting_.empty()) {
      return set_fault(cudaErrorLaunchFailure, concat("left the kernel, while thread ", Index{waiting_[0]->index},
                                                      " waits at the barrier of ", barrier_where_));
    }
    Warp& warp = warps_[thread.rank / 32];
    const std::uint32_t bit = std::uint32_t{1} << thread.rank % 32;
    warp.absent |= bit;
    for (const Rendezvous* meeting : warp.meetings) {
      if (meeting->mask & bit) {
        return set_fault(cudaErrorLaunchFailure, concat("left the kernel, while lanes of its warp wait for it in ",
                                                        meeting->op, " at ", meeting->where));
      }
    }
  }

  void wait(Thread& self, std::string_view what, const Where& where) {
    self.waits_for = what;
    self.where = where;
    self.fiber->suspend();
    self.waits_for = {};
  }

  /// Lets the others of a group go on; the last to come goes on by itself, in a random schedule only in its turn.
  void release(std::vector<Thread*>& group, Thread& self) {
    const bool random = order_ == Schedule::Order::random;
    for (Thread* thread : group) {
      if (thread != &self || random) ready_.push_back(thread);
    }
    group.clear();
    if (random) self.fiber->suspend();
  }

  Rendezvous& meet(std::uint32_t mask, std::string_view op, const void* mine, std::size_t bytes, const Where& where) {
    Thread& self = expect_running(op);
    Warp& warp = warps_[self.rank / 32];
    const std::uint32_t bit = std::uint32_t{1} << self.rank % 32;
    if (!(mask & bit)) fault(cudaErrorLaunchFailure, op, " at ", where, ": the mask lacks the calling lane");
    if (mask & warp.absent) {
      fault(cudaErrorLaunchFailure, op, " at ", where,
            ": the mask names lanes that have left the kernel or do not exist");
    }
    Rendezvous* meeting = nullptr;
    for (Rendezvous* other : warp.meetings) {
      if (other->mask == mask && other->op == op && other->bytes == bytes && other->where.line == where.line) {
        meeting = other;
      } else if ((other->mask & bit) && (other->arrived & mask)) {
        fault(cudaErrorLaunchFailure, op, " at ", where, ": lanes of its warp wait for it in ", other->op, " at ",
              other->where, other->mask == mask ? "" : " with another mask");
      }
    }
    if (!meeting) {
      meeting = new_meeting();
      *meeting = {mask, 0, 0, op, where, bytes, std::move(meeting->values)};
      meeting->values.resize(32 * bytes);
      warp.meetings.push_back(meeting);
    }
    if (bytes > 0) std::memcpy(meeting->values.data() + self.rank % 32 * bytes, mine, bytes);
    meeting->arrived |= bit;
    ++meeting->readers;
    if (meeting->arrived != mask) {
      wait(self, op, where);
    } else {
      std::erase(warp.meetings, meeting);
      group_.clear();
      for (unsigned int lane = 0; lane < 32; ++lane) {
        if (mask >> lane & 1) group_.push_back(&threads_[self.rank / 32 * 32 + lane]);
      }
      if (order_ == Schedule::Order::reverse) std::reverse(group_.begin(), group_.end());
      release(group_, self);
    }
    return *meeting;
  }

  Rendezvous* new_meeting() {
    if (spare_meetings_.empty()) {
      meetings_.push_back(std::make_unique<Rendezvous>());
      spare_meetings_.push_back(meetings_.back().get());
    }
    Rendezvous* meeting = spare_meetings_.back();
    spare_meetings_.pop_back();
    return meeting;
  }

  std::byte* static_memory() const noexcept { return shared_.get() + guard_bytes; }
  std::byte* dynamic_memory() const noexcept { return static_memory() + 48 * 1024 + guard_bytes; }

  void start_shared() {
    if (!shared_) {
      shared_.reset(static_cast<std::byte*>(::operator new (shared_bytes, std::align_val_t{256})));
      std::memset(shared_.get(), guard, shared_bytes);
    }
    arrays_.clear();
    static_bytes_ = 0;
    std::memset(dynamic_memory(), poison, dynamic_bytes_);
    std::memset(dynamic_memory() + dynamic_bytes_, guard, guard_bytes);
  }
  /// What lies around the shared arrays must be as it was.
  void check_shared() {
    const auto intact = [](const std::byte* begin, const std::byte* end) {
      return std::all_of(begin, end, [](std::byte b) { return b == std::byte{guard}; });
    };
    bool good = intact(shared_.get(), static_memory());
    for (const auto& array : arrays_) {
      const auto padded = (array.bytes + 127) / 128 * 128;
      good = good && intact(array.data + array.bytes, array.data + padded);
      std::memset(array.data, guard, padded);
    }
    good = good && intact(static_memory() + static_bytes_, dynamic_memory()) &&
           intact(dynamic_memory() + dynamic_bytes_, dynamic_memory() + dynamic_bytes_ + guard_bytes);
    if (good) return;
    std::memset(shared_.get(), guard, shared_bytes);
    set_fault(cudaErrorIllegalAddress, "a thread of the block wrote beyond a shared array");
  }

  /// Keeps the first fault; says where.
  void set_fault(cudaError_t code, std::string_view text) {
    if (fault_) return;
    std::string full = concat("kernel '", op_.empty() ? "?" : op_, "', block ", Index{blockIdx});
    if (current_) full += concat(", thread ", Index{current_->index});
    fault_ = Fault{code, concat(full, ": ", text)};
  }
  void set_signal_fault() {
    const void* const address = std::exchange(signal_, {}).second;
    if (!address) {
      set_fault(cudaErrorMisalignedAddress, "followed a null pointer, or accessed a vector at a misaligned address");
    } else if (current_->fiber->guards(address)) {
      set_fault(cudaErrorLaunchFailure, "needs more stack than a thread has");
    } else {
      set_fault(cudaErrorIllegalAddress, concat("read or wrote address ", reinterpret_cast<std::uintptr_t>(address),
                                                ", which is no memory of its device"));
    }
  }

  /// For a block that cannot go on: some of the threads that wait, and for what.
  std::string waiting_text() const {
    std::string text;
    std::size_t count = 0;
    for (const auto& thread : threads_) {
      if (thread.waits_for.empty() || ++count > 4) continue;
      text += concat(count == 1 ? " thread " : "; thread ", Index{thread.index}, " waits in ", thread.waits_for, " at ",
                     thread.where);
    }
    if (count > 4) text += concat("; and ", count - 4, " more");
    return text;
  }

  void abandon_all() {
    for (auto& fiber : fibers_) fiber->reset();
    spare_fibers_.clear();
    for (auto& fiber : fibers_) spare_fibers_.push_back(fiber.get());
    spare_meetings_.clear();
    for (auto& meeting : meetings_) spare_meetings_.push_back(meeting.get());
    ready_.clear();
    waiting_.clear();
    sleeping_.clear();
    current_ = nullptr;
    std::memset(shared_.get(), guard, shared_bytes);
  }

  static constexpr std::size_t shared_bytes = 3 * guard_bytes + 48 * 1024 + shared_capacity;
  struct FreeShared {
    void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{256}); }
  };

  std::string_view op_;
  Schedule::Order order_ = Schedule::Order::forward;
  const std::function<void()>* body_ = nullptr;
  std::optional<Fault> fault_;
  std::pair<bool, const void*> signal_{};

  std::vector<Thread> threads_;
  std::vector<unsigned int> start_order_;
  std::vector<Warp> warps_;
  Thread* current_ = nullptr;
  Fiber* starting_ = nullptr;
  std::size_t started_ = 0, exited_ = 0;
  std::deque<Thread*> ready_;
  std::vector<Thread*> waiting_, group_;
  std::vector<std::pair<const void*, Thread*>> sleeping_;
  Where barrier_where_;
  int barrier_count_ = 0, barrier_result_ = 0;

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> spare_fibers_;
  std::vector<std::unique_ptr<Rendezvous>> meetings_;
  std::vector<Rendezvous*> spare_meetings_;

  std::unique_ptr<std::byte, FreeShared> shared_;
  std::size_t dynamic_bytes_ = 0, static_bytes_ = 0;
  std::vector<SharedArray> arrays_;
};

/// The one that runs kernels. Never destroyed.
inline BlockRunner& block_runner() {
  static BlockRunner& runner = *new BlockRunner;
  return runner;
}

inline void BlockRunner::fiber_main() {
  Fiber::begin();
  auto& runner = block_runner();
  while (true) {
    Fiber* self = runner.starting_;
    runner.run_threads(self);
    self->suspend();
  }
}

}  // namespace dnn::inline DNN_ABI::cu::host

#endif
