#include "dnn/memory/device_pool.hpp"

#if DNN_CUDA

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/cuda/graph.hpp"
#include "dnn/cuda/stream.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {
const Device gpu = Device{Device::Kind::cuda, 0};

Array on_host(const std::vector<float>& values) {
  const auto host = using_device("cpu");
  return array_from(values);
}
}  // namespace

TEST_CASE("the pool of a device gives blocks back to the stream they came from", "[memory]") {
  const auto device = using_device(gpu);
  DevicePool pool;
  const cu::Stream other;
  void* a = pool.allocate(5000, nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(a) % 256 == 0);
  CHECK(pool.statistics().bytes_in_use >= 5000);
  pool.deallocate(a, 5000, nullptr);
  CHECK(pool.statistics().bytes_in_use == 0);
  void* b = pool.allocate(5000, other.get());
  CHECK(b != a);
  void* c = pool.allocate(4990, nullptr);
  CHECK(c == a);
  pool.deallocate(b, 5000, other.get());
  pool.deallocate(c, 4990, nullptr);
  CHECK(pool.statistics().bytes_cached >= 10000);
  pool.empty_cache();
  CHECK(pool.statistics().bytes_cached == 0);
  CHECK(pool.statistics().peak_bytes >= 10000);
}

TEST_CASE("the sizes of classes are those that requests get", "[memory]") {
  for (const std::size_t bytes : {0u, 1u, 64u, 65u, 1024u, 1025u, 1152u, 5000u, 1u << 20, (1u << 20) + 1}) {
    const auto c = detail::size_class(bytes);
    CHECK(detail::class_bytes(c.index) == c.bytes);
  }
}

TEST_CASE("a device without memory says who asked for how much", "[memory]") {
  const cu::UsingOp op("an operation");
  CHECK_THROWS_WITH(Array({std::int64_t{1} << 44}, float32, gpu),
                    ContainsSubstring("out of memory on cuda:0: an operation asked for 70368744177664 bytes") &&
                        ContainsSubstring("are held by arrays") && ContainsSubstring("are free"));
  CHECK_NOTHROW(Array({1000}, float32, gpu));
}

TEST_CASE("cached memory is given up before an allocation fails", "[memory]") {
  std::size_t free = 0, total = 0;
  const auto device = using_device(gpu);
  empty_cache();
  cu::check(cudaMemGetInfo(&free, &total));
  const auto most = static_cast<std::int64_t>(free / 2);
  { const Array large({most}, uint8); }
  { const Array other_size({most / 2 + most / 4}, uint8); }
  CHECK(memory_statistics(gpu).bytes_cached > 0);
  empty_cache();
  CHECK(memory_statistics(gpu).bytes_cached == 0);
}

TEST_CASE("arrays travel between host and devices", "[memory]") {
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{100000}}) {
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
    const Array host = on_host(values);
    const Array there = host.to("cuda:0");
    CHECK(there.device() == gpu);
    CHECK(array_equal(there.to("cpu"), host));
    CHECK(array_equal(there.copy().to("cpu"), host));
    if (cu::device_count() > 1) {
      const Array elsewhere = there.to("cuda:1");
      CHECK(to_text(elsewhere.device()) == "cuda:1");
      CHECK(array_equal(elsewhere.to("cuda:0").to("cpu"), host));
    }
  }
}

TEST_CASE("what was sent to a device may be overwritten at once", "[memory]") {
  for (const std::int64_t n : {10, 50000, 17000000}) {
    std::vector<Array> sent;
    Array host({n}, float32, Device{});
    for (int i = 0; i < 3; ++i) {
      host.fill(i);
      sent.push_back(host.to(gpu));
    }
    for (int i = 0; i < 3; ++i) {
      CHECK(sent[static_cast<std::size_t>(i)].to("cpu").at<float>(n - 1) == static_cast<float>(i));
    }
  }
}

TEST_CASE("memory that another stream uses waits for it", "[memory]") {
  const auto device = using_device(gpu);
  const cu::Stream side;
  const Array result({1000});
  const void* address = nullptr;
  {
    const Array source = on_host(std::vector<float>(1000, 7)).to(gpu);
    address = source.bytes();
    cu::synchronize_stream();
    const auto scope = cu::using_stream(side);
    cu::check(cudaMemcpyAsync(const_cast<std::byte*>(result.bytes()), source.bytes(), source.nbytes(),
                              cudaMemcpyDeviceToDevice, side.get()));
    source.use_on_current_stream();
  }
  const Array next = on_host(std::vector<float>(1000, 8)).to(gpu);
  CHECK(next.bytes() == address);
  CHECK(next.to("cpu").at<float>(3) == 8);
  side.synchronize();
  CHECK(result.to("cpu").at<float>(3) == 7);
}

TEST_CASE("a recording for which there is no memory says so, and frees none", "[memory]") {
  const auto device = using_device(gpu);
  empty_cache();
  std::size_t free = 0, total = 0;
  cu::check(cudaMemGetInfo(&free, &total));
  const auto half = static_cast<std::int64_t>(free / 2);
  { const Array cached({half + half / 4}, uint8); }
  const cu::Stream stream;
  CHECK_THROWS_WITH(cu::Graph(stream, [&] { const Array more({half}, uint8); }),
                    ContainsSubstring("cannot be recorded: the device has no memory left"));
  CHECK(memory_statistics(gpu).bytes_cached > 0);
  CHECK_NOTHROW(Array({half}, uint8));
  empty_cache();
}

TEST_CASE("a graph keeps its memory", "[memory]") {
  const auto device = using_device(gpu);
  const Array x = on_host({1, 2, 3}).to(gpu), y({3});
  cu::synchronize();
  const cu::Stream stream;
  const void* inside = nullptr;
  {
    const cu::Graph graph(stream, [&] {
      const Array between = x.copy();
      inside = between.bytes();
      const UsingDevice here(gpu);
      copy_bytes(const_cast<std::byte*>(y.bytes()), gpu, between.bytes(), gpu, y.nbytes());
    });
    empty_cache();
    const auto scope = cu::using_stream(stream);
    std::vector<Array> others;
    for (int i = 0; i < 4; ++i) others.emplace_back(Shape{3});
    for (const auto& other : others) CHECK(other.bytes() != inside);
    graph.launch();
    CHECK(array_equal(y.to("cpu"), on_host({1, 2, 3})));
  }
  empty_cache();
  CHECK(memory_statistics(gpu).bytes_cached == 0);
}

#endif
