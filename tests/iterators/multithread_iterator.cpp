#include "dnn/iterators/multithread_iterator.hpp"

#include <atomic>
#include <set>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/concat_examples.hpp"
#include "dnn/datasets/transform_dataset.hpp"
#include "dnn/datasets/tuple_dataset.hpp"
#include "dnn/iterators/serial_iterator.hpp"
#include "memory_archive.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using iterators::MultithreadIterator;
using iterators::SerialIterator;

namespace {

/// Examples that take a moment, longer for some.
datasets::TransformDataset slow(std::int64_t n) {
  return {arange(n), [](const Example& example) {
            if (example[0].item() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            return Example(example[0].item() * 0.1, example[0]);
          }};
}

void same(Iterator& a, Iterator& b, int batches) {
  for (int i = 0; i < batches; ++i) {
    const auto x = a.next(), y = b.next();
    REQUIRE(x.has_value() == y.has_value());
    CHECK(a.epoch() == b.epoch());
    CHECK(a.is_new_epoch() == b.is_new_epoch());
    CHECK(a.epoch_detail() == b.epoch_detail());
    CHECK(a.previous_epoch_detail() == b.previous_epoch_detail());
    if (!x) continue;
    const Batch p = concat_examples(*x), q = concat_examples(*y);
    for (std::size_t field = 0; field < p.size(); ++field) CHECK(array_equal(p[field], q[field]));
  }
}

}  // namespace

TEST_CASE("the minibatches are SerialIterator's, whatever the threads", "[multithread_iterator]") {
  const datasets::TupleDataset fast(random::normal({17, 3}), arange(17));
  for (const int threads : {1, 2, 5}) {
    for (const int prefetch : {0, 1, 9}) {
      for (const bool repeat : {true, false}) {
        seed(1);
        SerialIterator serial(slow(17), 4, {.repeat = repeat});
        seed(1);
        MultithreadIterator multi(slow(17), 4, {.repeat = repeat, .n_threads = threads, .n_prefetch = prefetch});
        same(serial, multi, 12);
        serial.reset();
        multi.reset();
        same(serial, multi, 7);
      }
      SerialIterator serial(fast, 5, {.shuffle = false});
      MultithreadIterator multi(fast, 5, {.shuffle = false, .n_threads = threads, .n_prefetch = prefetch});
      same(serial, multi, 9);
    }
  }
}

TEST_CASE("its state is of the last minibatch handed out, not of those read ahead", "[multithread_iterator]") {
  for (int stop = 0; stop < 9; ++stop) {
    seed(2);
    MultithreadIterator whole(slow(10), 3, {.n_threads = 2, .n_prefetch = 4});
    seed(2);
    MultithreadIterator resumed(slow(10), 3, {.n_threads = 1});
    seed(2);
    SerialIterator serial(slow(10), 3);
    resumed.next();  // what it has read ahead must be forgotten
    for (int i = 0; i < stop; ++i) whole.next();
    MemoryArchive archive;
    MemoryWriter writer(archive);
    whole.serialize(writer);
    CHECK(archive.count("_order") == 1);
    for (Iterator* other : {static_cast<Iterator*>(&resumed), static_cast<Iterator*>(&serial)}) {
      MemoryReader reader(archive);
      other->serialize(reader);
    }
    for (int i = 0; i < 8; ++i) {
      const auto expected = whole.next()->indices();
      CHECK(resumed.next()->indices() == expected);
      CHECK(serial.next()->indices() == expected);
    }
  }
}

TEST_CASE("examples are read in other threads, ahead of time, under the caller's modes", "[multithread_iterator]") {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> read{0}, test_mode{0};
  const datasets::TransformDataset dataset(arange(1000), [&](const Example& example) {
    {
      std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    }
    test_mode += !config().train;
    ++read;
    return example;
  });
  const auto mode = using_train(false);
  MultithreadIterator iterator(dataset, 1, {.n_threads = 3, .n_prefetch = 5});
  CHECK(read == 0);
  iterator.next();
  for (int i = 0; i < 5000 && read < 6; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(read == 6);
  CHECK(test_mode == 6);
  std::lock_guard lock(mutex);
  CHECK(threads.count(std::this_thread::get_id()) == 0);
}

TEST_CASE("what a data set throws, next() throws, in its turn", "[multithread_iterator]") {
  const datasets::TransformDataset dataset(arange(8), [](const Example& example) {
    if (example[0].item() == 3) throw FileError("example 3 is damaged");
    return example;
  });
  MultithreadIterator iterator(dataset, 2, {.shuffle = false, .n_threads = 2, .n_prefetch = 3});
  CHECK(iterator.next()->indices() == std::vector<std::int64_t>{0, 1});
  CHECK_THROWS_WITH(iterator.next(), ContainsSubstring("example 3 is damaged"));
  CHECK(iterator.next()->indices() == std::vector<std::int64_t>{4, 5});
  CHECK(iterator.epoch_detail() == Approx(0.75));
}

TEST_CASE("finalize ends the threads; going on starts them again", "[multithread_iterator]") {
  MultithreadIterator iterator(slow(6), 2, {.shuffle = false, .n_threads = 2});
  iterator.finalize();
  CHECK(iterator.next()->indices() == std::vector<std::int64_t>{0, 1});
  iterator.finalize();
  iterator.finalize();
  CHECK(iterator.next()->indices() == std::vector<std::int64_t>{2, 3});
}

TEST_CASE("mistakes in MultithreadIterator are named", "[multithread_iterator]") {
  CHECK_THROWS_WITH(MultithreadIterator(arange(3), 0), ContainsSubstring("[MultithreadIterator] batch_size"));
  CHECK_THROWS_WITH(MultithreadIterator(arange(3), 1, {.n_threads = 0}), ContainsSubstring("options.n_threads >= 1"));
  CHECK_THROWS_AS(MultithreadIterator(arange(3), 1, {.n_prefetch = -1}), ArgumentError);
}

TEST_CASE("what an order sampler throws, next() throws, and no minibatch is lost", "[multithread_iterator]") {
  int calls = 0;
  const iterators::OrderSampler sampler = [&](std::span<const std::int64_t> old, std::int64_t, std::int64_t) {
    if (++calls > 1) throw Error("no second epoch");
    return std::vector<std::int64_t>(old.begin(), old.end());
  };
  MultithreadIterator iterator(arange(6), 2, {.n_threads = 2, .n_prefetch = 3, .order_sampler = sampler});
  CHECK(iterator.next()->indices() == std::vector<std::int64_t>{0, 1});
  CHECK(iterator.next()->indices() == std::vector<std::int64_t>{2, 3});
  CHECK_THROWS_WITH(iterator.next(), ContainsSubstring("no second epoch"));
  CHECK(iterator.current_position() == 4);
}
