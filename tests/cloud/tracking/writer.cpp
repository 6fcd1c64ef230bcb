#include "cloud/tracking/writer.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "cloud/core/guid.hpp"

using namespace cloud;
using namespace cloud::tracking;
using namespace std::chrono_literals;

namespace {

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("cloud-test-" + random_hex(12))) { fs::create_directories(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  fs::path path;
};

// A place that can be out of reach.
struct Place {
  std::mutex mutex;
  std::map<std::string, Batch> runs;
  std::atomic<bool> reachable{true};
  std::atomic<int> calls{0};

  Writer::Sink sink() {
    return [this](const std::string& run, const Batch& batch) {
      ++calls;
      if (!reachable) throw NetworkError("log", "nobody answers");
      const std::scoped_lock lock(mutex);
      for (const Param& param : batch.params) {
        if (param.key == "bad") throw ConflictError("log param bad", "it has another value");
      }
      Batch& all = runs[run];
      all.metrics.insert(all.metrics.end(), batch.metrics.begin(), batch.metrics.end());
      all.params.insert(all.params.end(), batch.params.begin(), batch.params.end());
      all.tags.insert(all.tags.end(), batch.tags.begin(), batch.tags.end());
    };
  }
};

// Runs `program` in a fork, and returns how it ended (as waitpid tells).
int in_child(const std::function<void()>& program) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(2);
    // Catch's handlers would report the child's end as the test's.
    for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGTERM, SIGINT}) ::signal(signal, SIG_DFL);
    program();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("values arrive in order, with their steps, in few batches", "[cloud][tracking]") {
  Place place;
  Writer writer("r", place.sink(), {.interval = 50ms});
  for (int i = 0; i < 10'000; ++i) writer.log(i % 2 == 0 ? "even" : "odd", i, std::nullopt);
  writer.log("even", 1, 7);
  writer.log("even", 2, std::nullopt);
  REQUIRE(writer.flush());
  CHECK(place.calls <= 100);
  const std::vector<Metric>& metrics = place.runs["r"].metrics;
  REQUIRE(metrics.size() == 10'002);
  for (std::size_t i = 0; i < 10'000; ++i) {
    REQUIRE(metrics[i].value == static_cast<double>(i));
    REQUIRE(metrics[i].step == static_cast<std::int64_t>(i / 2));
  }
  CHECK(metrics[10'000].step == 7);
  CHECK(metrics[10'001].step == 8);
  CHECK(metrics[0].timestamp > 0);
}

TEST_CASE("logging never waits for the place", "[cloud][tracking]") {
  std::atomic<bool> open{false};
  std::atomic<std::size_t> arrived{0};
  Writer writer("r",
                [&](const std::string&, const Batch& batch) {
                  while (!open) std::this_thread::sleep_for(1ms);
                  arrived += batch.metrics.size();
                },
                {.interval = 0ms});
  for (int i = 0; i < 1000; ++i) writer.log("loss", i, i);  // would hang here
  CHECK_FALSE(writer.flush(20ms));
  open = true;
  CHECK(writer.flush());
  CHECK(arrived == 1000);
}

TEST_CASE("many threads may log at once", "[cloud][tracking]") {
  Place place;
  {
    Writer writer("r", place.sink(), {.interval = 1ms});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&writer, t] {
        for (int i = 0; i < 500; ++i) writer.log("m" + std::to_string(t), i, std::nullopt);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }  // the destructor sends
  std::map<std::string, double> next;
  for (const Metric& metric : place.runs["r"].metrics) REQUIRE(metric.value == next[metric.key]++);
  CHECK(place.runs["r"].metrics.size() == 2000);
}

TEST_CASE("what the place refuses does not take the rest with it", "[cloud][tracking]") {
  Place place;
  Writer writer("r", place.sink(), {.interval = 20ms});
  writer.add({.metrics = {{.key = "loss", .value = 1}},
              .params = {{"good", "1"}, {"bad", "2"}, {"late", "3"}},
              .tags = {{"tag", "t"}}});
  REQUIRE(writer.flush());
  CHECK(place.runs["r"].metrics.size() == 1);
  REQUIRE(place.runs["r"].params.size() == 2);
  CHECK(place.runs["r"].params[1].key == "late");
  CHECK(place.runs["r"].tags.size() == 1);
}

TEST_CASE("names that MLflow would refuse are refused everywhere", "[cloud][tracking]") {
  Place place;
  Writer writer("r", place.sink());
  for (const std::string& name :
       std::vector<std::string>{"", "/a", "a/../b", "a:b", "a\nb", "\xC3\xA9", std::string(251, 'a')}) {
    CAPTURE(name);
    CHECK_THROWS_AS(writer.log(name, 1, 0), ConfigError);
    CHECK_THROWS_AS(writer.add({.params = {{name, ""}}}), ConfigError);
    CHECK_THROWS_AS(writer.add({.tags = {{name, ""}}}), ConfigError);
  }
  writer.log("validation/main/loss-1.x y_z", 1, 0);
  CHECK(writer.flush());
  CHECK(place.runs["r"].metrics.size() == 1);
}

TEST_CASE("a place out of reach gets everything later, once, and the spool is gone", "[cloud][tracking]") {
  const Folder folder;
  Place place;
  place.reachable = false;
  Writer writer("r", place.sink(), {.interval = 1ms, .retry = 5ms, .spool = folder.path});
  writer.log("loss", 1, std::nullopt);
  CHECK_FALSE(writer.flush());
  writer.log("loss", 2, std::nullopt);
  CHECK_FALSE(writer.flush());
  CHECK(folder.files() == 1);
  place.reachable = true;
  writer.log("loss", 3, std::nullopt);
  REQUIRE(writer.flush());
  const std::vector<Metric>& metrics = place.runs["r"].metrics;
  REQUIRE(metrics.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(metrics[i].value == static_cast<double>(i + 1));
  CHECK(folder.files() == 0);
}

TEST_CASE("a killed program's spool is sent by the next one, a living one's is not", "[cloud][tracking]") {
  const Folder folder;
  const int status = in_child([&] {
    Place place;
    place.reachable = false;
    Writer writer("old", place.sink(), {.interval = 1ms, .retry = 5ms, .spool = folder.path});
    writer.add({.metrics = {{.key = "loss", .value = std::nan(""), .step = -3},
                            {.key = "acc", .value = -std::numeric_limits<double>::infinity()}},
                .params = {{"p", "tab\tline\n%"}},
                .tags = {{"t", ""}}});
    writer.flush();
    ::kill(::getpid(), SIGKILL);
  });
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(folder.files() == 1);
  {  // a line that was cut short
    std::ofstream file(fs::directory_iterator(folder.path)->path(), std::ios::app);
    file << "metric\told\tloss\t1.5";
  }
  Place away;
  away.reachable = false;
  Writer living("living", away.sink(), {.interval = 1ms, .retry = 5ms, .spool = folder.path});
  living.log("loss", 1, 0);
  CHECK_FALSE(living.flush());
  REQUIRE(folder.files() == 2);

  Place place;
  {
    Writer next("new", place.sink(), {.interval = 1ms, .spool = folder.path});
    next.log("loss", 5, 0);
  }
  CHECK(place.runs["new"].metrics.size() == 1);
  CHECK_FALSE(place.runs.contains("living"));
  CHECK(folder.files() == 1);
  const Batch& old = place.runs["old"];
  REQUIRE(old.metrics.size() == 2);
  CHECK(std::isnan(old.metrics[0].value));
  CHECK(old.metrics[0].step == -3);
  CHECK(old.metrics[1].value == -std::numeric_limits<double>::infinity());
  REQUIRE(old.params.size() == 1);
  CHECK(old.params[0].value == "tab\tline\n%");
  REQUIRE(old.tags.size() == 1);
  away.reachable = true;
}

TEST_CASE("what was logged last arrives when the program ends, however it ends itself", "[cloud][tracking]") {
  const Folder folder;
  const auto file_sink = [&](const std::string&, const Batch& batch) {
    std::ofstream file(folder.path / "out", std::ios::app);
    for (const Metric& metric : batch.metrics) file << metric.value << "\n";
  };
  const auto lines = [&] {
    std::ifstream file(folder.path / "out");
    return std::vector<std::string>(std::istream_iterator<std::string>(file), {});
  };
  SECTION("std::exit") {
    const int status = in_child([&] {
      auto* writer = new Writer("r", file_sink, {.interval = 1h});
      writer->log("loss", 42, 0);
      std::exit(3);
    });
    CHECK(WEXITSTATUS(status) == 3);
    CHECK(lines() == std::vector<std::string>{"42"});
  }
  SECTION("a signal that ends it") {
    for (const int signal : {SIGTERM, SIGINT, SIGSEGV, SIGABRT}) {
      fs::remove(folder.path / "out");
      const int status = in_child([&] {
        auto* writer = new Writer("r", file_sink, {.interval = 1h});
        for (int i = 0; i < 3; ++i) writer->log("loss", signal + i, 0);
        ::kill(::getpid(), signal);  // to whichever thread
        ::pause();
      });
      REQUIRE(WIFSIGNALED(status));
      CHECK(WTERMSIG(status) == signal);
      CHECK(lines().size() == 3);
    }
  }
  SECTION("a handler of the program's own") {
    const int status = in_child([&] {
      ::signal(SIGTERM, [](int) { ::_exit(7); });
      auto* writer = new Writer("r", file_sink, {.interval = 1h});
      writer->log("loss", 1, 0);
      ::raise(SIGTERM);
    });
    CHECK(WEXITSTATUS(status) == 7);
  }
  SECTION("a place out of reach") {  // then the spool has it, and nobody waits any longer
    const int status = in_child([&] {
      auto* writer =
          new Writer("r", [](const std::string&, const Batch&) { throw NetworkError("log", "nobody answers"); },
                     {.interval = 1h, .spool = folder.path / "spool"});
      writer->log("loss", 1, 0);
      ::raise(SIGTERM);
    });
    CHECK(WTERMSIG(status) == SIGTERM);
    CHECK(fs::directory_iterator(folder.path / "spool") != fs::directory_iterator());
  }
  SECTION("an exception that nobody catches") {
    const int status = in_child([&] {
      auto* writer = new Writer("r", file_sink, {.interval = 1h});
      writer->log("loss", 43, 0);
      std::terminate();
    });
    CHECK(WIFSIGNALED(status));
    CHECK(lines() == std::vector<std::string>{"43"});
  }
}
