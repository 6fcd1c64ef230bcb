#include "dnn/memory/pool.hpp"

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "dnn/memory/storage.hpp"

using namespace dnn;

TEST_CASE("the pool gives aligned blocks and takes them back", "[memory]") {
  HostPool pool;
  for (const std::size_t bytes :
       {0u, 1u, 63u, 64u, 65u, 1023u, 1024u, 1025u, 1152u, 1153u, 2048u, 4097u, 100000u, 1048577u}) {
    void* block = pool.allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % HostPool::alignment == 0);
    std::memset(block, 0xff, bytes);
    CHECK(pool.statistics().bytes_in_use >= bytes);
    // At most an eighth is wasted above 1 KiB.
    CHECK(pool.statistics().bytes_in_use <= std::max<std::size_t>(bytes + 64, bytes + bytes / 8 + 64));
    pool.deallocate(block, bytes);
    CHECK(pool.statistics().bytes_in_use == 0);
    CHECK(pool.allocate(bytes) == block);
    pool.deallocate(block, bytes);
  }
  const auto peak = pool.statistics().peak_bytes;
  CHECK(pool.statistics().bytes_cached == peak);
  pool.empty_cache();
  CHECK(pool.statistics().bytes_cached == 0);
  CHECK(pool.statistics().peak_bytes == peak);
}

TEST_CASE("every size has a class that holds it", "[memory]") {
  HostPool pool;
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (std::size_t bytes = 1; bytes < 70000; bytes += bytes < 3000 ? 1 : 97) {
    void* block = pool.allocate(bytes);
    std::memset(block, static_cast<int>(bytes % 251), bytes);
    blocks.emplace_back(block, bytes);
  }
  int wrong = 0;
  for (const auto& [block, bytes] : blocks) {
    const auto* p = static_cast<unsigned char*>(block);
    if (p[0] != bytes % 251 || p[bytes - 1] != bytes % 251) ++wrong;
    pool.deallocate(block, bytes);
  }
  CHECK(wrong == 0);
  CHECK(pool.statistics().bytes_in_use == 0);
  pool.empty_cache();
}

TEST_CASE("running out of memory is an error that can be survived", "[memory]") {
  HostPool pool;
  CHECK_THROWS_WITH(pool.allocate(std::size_t{1} << 60), Catch::Matchers::ContainsSubstring("out of host memory"));
  CHECK(pool.statistics().bytes_in_use == 0);
  CHECK_THROWS_AS(Storage::allocate(~std::size_t{0} - 8), Error);
}

TEST_CASE("the pool serves several threads", "[memory]") {
  HostPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (std::size_t i = 0; i < 2000; ++i) {
        const std::size_t bytes = 64 + (i * 37 + static_cast<std::size_t>(t)) % 5000;
        auto* block = static_cast<unsigned char*>(pool.allocate(bytes));
        block[0] = static_cast<unsigned char>(t);
        block[bytes - 1] = static_cast<unsigned char>(t);
        pool.deallocate(block, bytes);
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(pool.statistics().bytes_in_use == 0);
  pool.empty_cache();
}

TEST_CASE("small blocks may be freed by another thread than the one that took them", "[memory]") {
  const auto before = memory_statistics().bytes_in_use;
  constexpr std::size_t count = 10000;  // more than a thread keeps
  std::vector<void*> blocks;
  std::thread taker([&] {
    for (std::size_t i = 0; i < count; ++i) blocks.push_back(std::memset(allocate_host(i % 1025), 0xff, i % 1025));
  });
  taker.join();
  CHECK(memory_statistics().bytes_in_use >= before + count * 64);
  std::thread([&] {
    for (std::size_t i = 0; i < count; ++i) deallocate_host(blocks[i], i % 1025);
    CHECK(memory_statistics().bytes_in_use == before);
  }).join();
  // What the threads kept has gone back to the pool.
  CHECK(memory_statistics().bytes_in_use == before);
  empty_cache();
  CHECK(memory_statistics().bytes_cached == 0);
}
