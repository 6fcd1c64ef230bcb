#include "dnn/cuda/stream.hpp"

#if DNN_CUDA

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/cuda/launch.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {

template <class T>
DNN_KERNEL void add_one(T* x, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] = x[i] + T(1);
}
template <class T>
DNN_KERNEL void copy_elements(T* to, const T* from, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] = from[i];
}
constexpr int elements = 300;

void add_one_to(Array& x) {
  cu::launch("add_one", add_one<float>, {cu::blocks_for(elements, 128), 128}, x.data<float>(), elements);
}

}  // namespace

TEST_CASE("work on a stream is done in order when it is waited for", "[cuda]") {
  Array x = zeros({elements}).to("cuda:0");
  const auto device = using_device("cuda:0");
  cu::synchronize();
  cu::Stream stream;
  {
    const auto scope = cu::using_stream(stream);
    CHECK(cu::current_stream() == stream.get());
    for (int i = 0; i < 5; ++i) add_one_to(x);
  }
  CHECK(cu::current_stream() == nullptr);
  stream.synchronize();
  const Array host = x.to("cpu");
  for (const float v : host.span<float>()) REQUIRE(v == 5);
}

TEST_CASE("events put streams in order", "[cuda]") {
  Array x = zeros({elements}).to("cuda:0"), y = zeros({elements}).to("cuda:0");
  const auto device = using_device("cuda:0");
  cu::synchronize();
  cu::Stream first, second;
  cu::Event done(true), later(true);
  {
    const auto scope = cu::using_stream(first);
    add_one_to(x);
    done.record(first.get());
    add_one_to(x);
  }
  second.wait(done);
  {
    const auto scope = cu::using_stream(second);
    cu::launch("copy", copy_elements<float>, {cu::blocks_for(elements, 64), 64}, y.data<float>(), x.data<float>(), 1);
    later.record(second.get());
  }
  later.synchronize();
  CHECK(done.done());
  CHECK(later.since(done) >= 0);
  const float got = y.to("cpu").at<float>(0);
  CHECK(got >= 1);
  first.synchronize();
  CHECK(x.to("cpu").at<float>(elements - 1) == 2);
}

TEST_CASE("an event that nobody recorded is no obstacle", "[cuda]") {
  const auto device = using_device("cuda:0");
  cu::Stream stream;
  const cu::Event event;
  CHECK(event.done());
  stream.wait(event);
  event.synchronize();
  stream.synchronize();
}

TEST_CASE("errors name the call, the operation and the place", "[cuda]") {
  const auto device = using_device("cuda:0");
  const cu::UsingOp op("an operation");
  CHECK_THROWS_WITH(cu::check(cudaErrorInvalidValue),
                    ContainsSubstring("[an operation] cudaErrorInvalidValue") && ContainsSubstring("stream.cpp:"));
  Array x({elements});
  CHECK_THROWS_WITH(cu::launch("too_wide", add_one<float>, {1, 2048}, x.data<float>(), elements),
                    ContainsSubstring("[too_wide]"));
  CHECK_NOTHROW(cu::synchronize());
  CHECK_NOTHROW(cu::launch("nothing", add_one<float>, {0, 128}, x.data<float>(), 0));
}

#if DNN_EMULATED

TEST_CASE("work that nobody waited for is not seen", "[cuda]") {
  const Array x = ones({elements}).to("cuda:0");
  const auto device = using_device("cuda:0");
  cu::synchronize();
  float* pinned = nullptr;
  cu::check(cudaMallocHost(reinterpret_cast<void**>(&pinned), x.nbytes()));
  cu::Stream stream;
  cu::check(cudaMemcpyAsync(pinned, x.bytes(), x.nbytes(), cudaMemcpyDeviceToHost, stream.get()));
  CHECK(std::isnan(pinned[0]));
  stream.synchronize();
  CHECK(pinned[0] == 1);
  cu::check(cudaFreeHost(pinned));
}

TEST_CASE("streams that do not wait for each other show it", "[cuda]") {
  Array x = zeros({elements}).to("cuda:0"), y({elements}, float32, Device("cuda:0"));
  const auto device = using_device("cuda:0");
  cu::synchronize();
  cu::Stream writer, reader;
  {
    const auto scope = cu::using_stream(writer);
    add_one_to(x);
  }
  {
    const auto scope = cu::using_stream(reader);
    cu::launch("copy", copy_elements<float>, {3, 128}, y.data<float>(), x.data<float>(), elements);
  }
  reader.synchronize();
  CHECK(y.to("cpu").at<float>(0) == 0);
  writer.synchronize();
  CHECK(x.to("cpu").at<float>(0) == 1);
}

TEST_CASE("a stream that is polled gets done", "[cuda]") {
  Array x = zeros({elements}).to("cuda:0");
  const auto device = using_device("cuda:0");
  cu::synchronize();
  cu::Stream stream;
  cu::Event event;
  {
    const auto scope = cu::using_stream(stream);
    add_one_to(x);
    add_one_to(x);
    event.record(stream.get());
  }
  int polls = 0;
  while (!event.done()) {
    REQUIRE(++polls < 100);
    REQUIRE(cudaPeekAtLastError() == cudaSuccess);  // Thrust looks after its kernels, and would throw
  }
  CHECK(polls > 1);
  CHECK(x.to("cpu").at<float>(7) == 2);
}

#endif

#endif
