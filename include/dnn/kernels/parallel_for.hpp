/// The one source of CPU parallelism.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "dnn/core/abi.hpp"
#include "dnn/core/error.hpp"

namespace dnn::inline DNN_ABI {

/// A thread that calls body(object). All threads are started here: std::thread has a virtual function for every type
/// of callable, and a compiler that meets one has to look at them all.
inline std::thread start_thread(void (*body)(void*), void* object) { return std::thread(body, object); }

}  // namespace dnn::inline DNN_ABI

namespace dnn::inline DNN_ABI::kernels {

/// A fixed set of threads that work on one job at a time, together with the thread that submits it. Who waits looks for
/// some ten microseconds before it sleeps: that long are the pauses between the operations of a network, and waking up
/// takes longer. A job is over when its pieces are, whether or not all threads have woken up for it.
class ThreadPool {
 public:
  using Body = void (*)(void* context, std::int64_t begin, std::int64_t end);

  /// Fewer threads where the system does not give that many.
  explicit ThreadPool(int threads)
      : looks_(threads <= static_cast<int>(std::thread::hardware_concurrency()) ? 2000 : 0) {
    workers_.reserve(static_cast<std::size_t>(threads - 1));
    try {
      while (this->threads() < threads) {
        workers_.push_back(start_thread([](void* pool) { static_cast<ThreadPool*>(pool)->work(); }, this));
      }
    } catch (const std::system_error&) {
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// Runs `body` over [0, n) in pieces of `piece`; returns when all are done. Rethrows the first exception.
  void run(std::int64_t n, std::int64_t piece, Body body, void* context) {
    std::lock_guard one_job(submit_);
    bool wake = false;
    {
      std::lock_guard lock(mutex_);
      job_ = {n, piece, body, context};
      next_.store(0, std::memory_order_relaxed);
      open_ = true;
      generation_.fetch_add(1, std::memory_order_release);
      wake = sleeping_ > 0;
    }
    if (wake) wake_.notify_all();
    take_pieces(job_);
    {
      std::lock_guard lock(mutex_);
      open_ = false;
    }
    look([this] { return busy_.load(std::memory_order_acquire) == 0; });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  /// True on the pool's threads and on a thread inside `run`: nested loops are then serial.
  static bool& inside() noexcept {
    static thread_local constinit bool inside = false;
    return inside;
  }

 private:
  struct Job {
    std::int64_t n = 0, piece = 1;
    Body body = nullptr;
    void* context = nullptr;
  };

  /// Waits a little for `ready`, without sleeping.
  template <class Ready>
  void look(Ready ready) const noexcept {
    for (int i = 0; i < looks_ && !ready(); ++i) {
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#endif
    }
  }

  void work() {
    inside() = true;
    std::uint64_t seen = 0;
    const auto is_new = [&] { return stop_ || generation_.load(std::memory_order_acquire) != seen; };
    while (true) {
      look(is_new);
      std::unique_lock lock(mutex_);
      ++sleeping_;
      wake_.wait(lock, is_new);
      --sleeping_;
      if (stop_) return;
      seen = generation_;
      if (!open_) continue;
      ++busy_;
      const Job job = job_;
      lock.unlock();
      take_pieces(job);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void take_pieces(const Job& job) {
    const bool was_inside = std::exchange(inside(), true);
    for (auto begin = next_.fetch_add(job.piece); begin < job.n; begin = next_.fetch_add(job.piece)) {
      try {
        job.body(job.context, begin, std::min(begin + job.piece, job.n));
      } catch (...) {
        std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
    inside() = was_inside;
  }

  int looks_;
  std::vector<std::thread> workers_;
  std::mutex submit_, mutex_;
  std::condition_variable wake_, done_;
  Job job_;                   // and all that follows but for reading: guarded by mutex_
  bool open_ = false;         // the job may be joined
  int sleeping_ = 0;          // threads that wait to be woken
  std::atomic<int> busy_{0};  // threads of the pool that have joined
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::int64_t> next_{0};  // the first piece that nobody has taken
  std::exception_ptr error_;
};

namespace detail {
inline int thread_count(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc{} || end != text.data() + text.size() || threads < 1) {
    throw Error("[threads] DNN_NUM_THREADS is '" + std::string(text) + "', not a whole number from 1 on");
  }
  return threads;
}

/// Never destroyed: destructors of static objects, and threads that still compute when the process ends, may use it.
inline std::unique_ptr<ThreadPool>& pool_slot() {
  static std::unique_ptr<ThreadPool>& pool = *[] {
    int threads = static_cast<int>(std::thread::hardware_concurrency());
    if (const char* text = std::getenv("DNN_NUM_THREADS"); text && *text) threads = thread_count(text);
    auto* slot = new std::unique_ptr<ThreadPool>(std::make_unique<ThreadPool>(std::clamp(threads, 1, 1024)));
    // A forked child has none of the threads: it starts with a pool of its own.
    ::pthread_atfork(nullptr, nullptr, [] {
      [[maybe_unused]] static ThreadPool* volatile parents = nullptr;  // not lost to leak checkers
      parents = pool_slot().release();
      pool_slot() = std::make_unique<ThreadPool>(1);
    });
    return slot;
  }();
  return pool;
}
}  // namespace detail

namespace detail {
/// parallel_for without the type of its body.
inline void run_in_pieces(std::int64_t n, std::int64_t grain, ThreadPool::Body body, void* context) {
  if (n <= 0) return;
  if (n <= grain || ThreadPool::inside()) return body(context, 0, n);
  auto& pool = *pool_slot();
  if (pool.threads() == 1) return body(context, 0, n);
  const auto pieces = std::min<std::int64_t>((n + grain - 1) / grain, 4 * pool.threads());
  pool.run(n, (n + pieces - 1) / pieces, body, context);
}
}  // namespace detail

/// Calls `body(begin, end)` on disjoint ranges that cover [0, n), at least `grain` long but for the last one, on
/// several threads. Serial when n <= grain, inside another parallel_for, or with one thread. The first exception
/// thrown by `body` is rethrown.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) {
  using Function = std::remove_reference_t<Body>;
  detail::run_in_pieces(
      n, grain,
      [](void* context, std::int64_t begin, std::int64_t end) { (*static_cast<Function*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace dnn::inline DNN_ABI::kernels

namespace dnn::inline DNN_ABI {

/// Threads that parallel_for uses, the caller included. Default: `DNN_NUM_THREADS`, or one per core. The first use
/// throws Error when DNN_NUM_THREADS is set to anything but a whole number from 1 on.
inline int num_threads() { return kernels::detail::pool_slot()->threads(); }
/// Not to be called while another thread computes. Fewer where the system does not give that many; a forked child
/// starts with one. Throws Error inside a parallel_for.
inline void set_num_threads(int threads) {
  if (kernels::ThreadPool::inside()) throw Error("[set_num_threads] called by what the threads are working on");
  kernels::detail::pool_slot() = std::make_unique<kernels::ThreadPool>(std::clamp(threads, 1, 1024));
}

}  // namespace dnn::inline DNN_ABI
