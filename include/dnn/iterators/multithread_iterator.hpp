/// The iterator that reads ahead.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dnn/core/config.hpp"
#include "dnn/iterators/ordered_iterator.hpp"

namespace dnn::inline DNN_ABI::iterators {

struct MultithreadIteratorOptions {
  bool repeat = true;
  std::optional<bool> shuffle = std::nullopt;
  int n_threads = 1;                     ///< minibatches that are read at the same time
  int n_prefetch = 0;                    ///< minibatches that are read ahead; as many as threads if 0
  OrderSampler order_sampler = nullptr;  ///< called ahead too, in the thread that calls next()
};

/// SerialIterator's minibatches, in the same order, read by threads before they are asked for: for data sets whose
/// examples take work. Each is read in one piece by one thread; the data set must be fit to be read by several. The
/// modes (`config()`) and the current device of the caller hold in the threads. What a data set throws is thrown by the
/// `next()` that would have returned the minibatch; the one after goes on with the following.
///
/// Throws ArgumentError as SerialIterator does, and for fewer threads than one.
class MultithreadIterator : public OrderedIterator {
 public:
  MultithreadIterator(DatasetRef dataset, std::int64_t batch_size, MultithreadIteratorOptions options = {})
      : OrderedIterator("MultithreadIterator", std::move(dataset), batch_size, options.repeat, options.shuffle,
                        std::move(options.order_sampler)),
        n_threads_(options.n_threads),
        n_prefetch_(options.n_prefetch == 0 ? options.n_threads : options.n_prefetch) {
    DNN_EXPECT("MultithreadIterator", options.n_threads >= 1);
    DNN_EXPECT("MultithreadIterator", options.n_prefetch >= 0);
    forget_prefetched();
  }
  MultithreadIterator(const MultithreadIterator&) = delete;
  MultithreadIterator& operator=(const MultithreadIterator&) = delete;
  ~MultithreadIterator() override { MultithreadIterator::finalize(); }

  std::optional<Minibatch> next() override {
    prefetch(1);
    previous_epoch_detail_ = epoch_detail();
    if (ahead_.empty()) return std::nullopt;
    const auto job = std::move(ahead_.front());
    ahead_.pop_front();
    try {
      prefetch(static_cast<std::size_t>(n_prefetch_));
    } catch (...) {
      // Thrown again once that minibatch is asked for.
    }
    {
      std::unique_lock lock(mutex_);
      done_.wait(lock, [&] { return job->done; });
    }
    state_ = job->after;
    if (job->error) std::rethrow_exception(job->error);
    return std::move(job->minibatch);
  }

  void reset() override {
    OrderedIterator::reset();
    forget_prefetched();
  }
  void finalize() override {
    forget_prefetched();
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    stop_ = false;
  }
  void serialize(Serializer& s) override {
    serialize_state(s, "_order", "order");
    if (s.is_loading()) forget_prefetched();
  }

 private:
  struct Job {
    Minibatch minibatch;
    IteratorState after;
    Config config;
    Device device;
    std::exception_ptr error = nullptr;
    bool done = false;
  };

  /// Sees to it that `count` minibatches are read or being read, unless the end comes first.
  void prefetch(std::size_t count) {
    while (ahead_.size() < count) {
      IteratorState after = ahead_state_;
      auto indices = advance(after);
      if (!indices) return;
      while (threads_.size() < static_cast<std::size_t>(n_threads_)) {
        threads_.push_back(
            start_thread([](void* iterator) { static_cast<MultithreadIterator*>(iterator)->work(); }, this));
      }
      ahead_.push_back(
          std::make_shared<Job>(Job{Minibatch(dataset_, std::move(*indices)), after, config(), current_device()}));
      ahead_state_ = std::move(after);
      {
        std::lock_guard lock(mutex_);
        todo_.push_back(ahead_.back());
      }
      wake_.notify_one();
    }
  }
  void forget_prefetched() {
    {
      std::lock_guard lock(mutex_);
      todo_.clear();
    }
    ahead_.clear();
    ahead_state_ = state_;
  }

  void work() {
    kernels::ThreadPool::inside() = true;  // the pool's threads belong to the computation
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || !todo_.empty(); });
      if (stop_) return;
      const auto job = std::move(todo_.front());
      todo_.pop_front();
      lock.unlock();
      try {
        config() = job->config;
        const auto device = using_device(job->device);
        job->minibatch.fetch();
      } catch (...) {
        job->error = std::current_exception();
      }
      lock.lock();
      job->done = true;
      done_.notify_all();
    }
  }

  int n_threads_, n_prefetch_;
  IteratorState ahead_state_;               // after the last of ahead_
  std::deque<std::shared_ptr<Job>> ahead_;  // in the order of delivery
  std::mutex mutex_;                        // guards todo_, stop_ and Job::done
  std::condition_variable wake_, done_;
  std::deque<std::shared_ptr<Job>> todo_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace dnn::inline DNN_ABI::iterators
