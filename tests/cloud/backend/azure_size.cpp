// What is large must not cost memory nor traffic. DNN_BIG_MB (32) says how large; 1024 takes minutes.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "catch.hpp"
#include "cloud/core/env.hpp"
#include "cloud/core/sha256.hpp"
#include "cloud/standin.hpp"

using namespace cloud;
using namespace cloud::test;

namespace {

std::uint64_t big_mb() { return parse_number<std::uint64_t>(env_or("DNN_BIG_MB", "")).value_or(32); }

// How much more memory this process has had at most since the object was made.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << 5 << std::flush;
    before = mb();
  }
  static double mb() {
    for (const std::string& line : split(read_file("/proc/self/status"), '\n')) {
      if (line.starts_with("VmHWM:")) return std::atof(line.c_str() + 6) / 1024;
    }
    return 0;
  }
  double growth() const { return mb() - before; }

 private:
  double before = 0;
};

}  // namespace

TEST_CASE("memory does not grow with the size of what is sent and fetched", "[cloud][azure][size]") {
  const StandIn standin({}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  source.write("run.sh", "#!/bin/sh\n");
  const RunInfo run = standin.backend->submit(
      {.experiment = "e", .source_directory = source.path, .entry = "run.sh", .compute = "gpu-cluster"}, {});
  const fs::path big = source.path / "big.bin";
  {
    std::ofstream file(big, std::ios::binary);
    std::string block(1 << 20, '\0');
    for (std::uint64_t i = 0; i < big_mb(); ++i) {
      std::snprintf(block.data(), block.size(), "%llu", static_cast<unsigned long long>(i));
      file.write(block.data(), static_cast<std::streamsize>(block.size()));
    }
  }
  const PeakMemory memory;
  standin.backend->upload_artifact(run.id, "big.bin", big, nullptr);
  standin.backend->download_artifact(run.id, "big.bin", source.path / "back", nullptr);
  WARN(big_mb() << " MB up and down took " << memory.growth() << " MB of memory");
  CHECK(memory.growth() < std::min(64.0, 16 + static_cast<double>(big_mb())));
  CHECK(fs::file_size(source.path / "back") == fs::file_size(big));
  CHECK(sha256_file(source.path / "back") == sha256_file(big));
  CHECK(standin.server->complaints() == "");
}

TEST_CASE("a large log is fetched once, however often it is looked at", "[cloud][azure][size]") {
  const StandIn standin({"--log-ms", "200"}, "gpu-cluster");
  if (!standin) return;
  const Folder source;
  const std::uint64_t line = (std::min<std::uint64_t>(big_mb(), 100) << 20) / 8;
  source.write("talk.sh", "#!/bin/sh\nfor i in $(seq 8); do head -c " + std::to_string(line) +
                              " /dev/zero | tr '\\0' x; echo; sleep 0.2; done\n");
  RunInfo run = standin.backend->submit(
      {.experiment = "log", .source_directory = source.path, .entry = "talk.sh", .compute = "gpu-cluster"}, {});
  std::uint64_t size = 0;
  const auto read = [&] {
    for (const std::string& file : run.log_files) {
      for (std::string piece; !(piece = standin.backend->read_log(run.id, file, size, 1 << 20)).empty();) {
        size += piece.size();
      }
    }
  };
  do {
    run = standin.backend->get_run(run.id);
    read();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (!is_terminal(run.phase));
  read();
  CHECK(size == 8 * (line + 1));
  std::uint64_t bytes = 0;
  for (const Json& request : standin.server->requests("std_log")) {
    bytes += static_cast<std::uint64_t>(json::integer(request, {"response_bytes"}));
  }
  WARN("a log of " << size_text(size) << " was read with " << size_text(bytes) << " of replies");
  CHECK(static_cast<double>(bytes) < 1.1 * static_cast<double>(size) + 100'000);
  CHECK(standin.server->complaints() == "");
}
