#include "dnn/kernels/parallel_for.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace dnn;
using dnn::kernels::parallel_for;

namespace {
/// The machine's own number of threads again at the end.
struct Threads {
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before = num_threads();
};
}  // namespace

TEST_CASE("every index is visited once", "[kernels]") {
  for (const int threads : {1, 2, 5}) {
    const Threads scope(threads);
    for (const std::int64_t n : {0, 1, 2, 7, 100, 12345}) {
      for (const std::int64_t grain : {1, 3, 1000, 100000}) {
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
        parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
          for (auto i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
        int wrong = 0;
        for (const auto& v : visits) wrong += v != 1;
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("an exception reaches the caller and the pool goes on", "[kernels]") {
  const Threads scope(3);
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_AS(parallel_for(100, 1,
                                 [&](std::int64_t begin, std::int64_t end) {
                                   if (begin <= 50 && 50 < end) throw std::runtime_error("fifty");
                                 }),
                    std::runtime_error);
    std::atomic<std::int64_t> sum{0};
    parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
    CHECK(sum == 100);
  }
}

TEST_CASE("nested loops and loops of several threads are possible", "[kernels]") {
  const Threads scope(3);
  std::atomic<std::int64_t> sum{0};
  parallel_for(10, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      parallel_for(100, 1, [&](std::int64_t b, std::int64_t e) { sum += e - b; });
    }
  });
  CHECK(sum == 1000);
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) parallel_for(64, 1, [&](std::int64_t b, std::int64_t e) { sum += e - b; });
    });
  }
  for (auto& t : callers) t.join();
  CHECK(sum == 1000 + 3 * 50 * 64);
}

TEST_CASE("DNN_NUM_THREADS is a whole number from 1 on", "[kernels]") {
  CHECK(dnn::kernels::detail::thread_count("1") == 1);
  CHECK(dnn::kernels::detail::thread_count("12") == 12);
  for (const char* text : {"abc", "0", "-2", "4x", " 4", "2.5", "99999999999"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(dnn::kernels::detail::thread_count(text),
                      Catch::Matchers::ContainsSubstring("DNN_NUM_THREADS is '" + std::string(text) + "'"));
  }
}

TEST_CASE("the pool is not replaced while it works", "[kernels]") {
  const Threads scope(3);
  CHECK_THROWS_AS(parallel_for(100, 1, [&](std::int64_t, std::int64_t) { set_num_threads(2); }), Error);
  CHECK(num_threads() == 3);
}

TEST_CASE("a forked child, which has none of the threads, computes and ends", "[kernels]") {
  const Threads scope(3);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(20);
    std::atomic<std::int64_t> sum{0};
    parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
    ::_exit(sum == 1000 && num_threads() == 1 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(num_threads() == 3);
}
