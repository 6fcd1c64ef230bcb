#include "dnn/cuda/graph.hpp"

#if DNN_CUDA

#include <cstdint>
#include <stdexcept>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/cuda/launch.hpp"

using namespace dnn;

namespace {

template <class T>
DNN_KERNEL void add_to(T* x, T amount, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] += amount;
}
void add(Array& x, float amount) {
  const int n = static_cast<int>(x.size());
  cu::launch("add", add_to<float>, {cu::blocks_for(n, 64), 64}, x.data<float>(), amount, n);
}

}  // namespace

TEST_CASE("a graph repeats what was recorded, which itself does nothing", "[graph]") {
  Array x = array({1.f, 2.f, 3.f}).to("cuda");
  const cu::Stream stream;
  const cu::Graph graph(stream, [&] {
    CHECK(cu::is_capturing());
    add(x, 1);
    add(x, 10);
  });
  CHECK_FALSE(cu::is_capturing());
  CHECK(graph.size() == 2);
  CHECK(array_equal(x.to("cpu"), array({1.f, 2.f, 3.f})));
  graph.launch();
  graph.launch();
  add(x, 0.5f);  // in order with the graph
  CHECK(array_equal(x.to("cpu"), array({23.5f, 24.5f, 25.5f})));
}

TEST_CASE("an exception while recording leaves the stream as it was", "[graph]") {
  Array x = array({1.f}).to("cuda");
  const cu::Stream stream;
  CHECK_THROWS_AS(cu::Graph(stream,
                            [&] {
                              add(x, 1);
                              throw std::runtime_error("no");
                            }),
                  std::runtime_error);
  CHECK_FALSE(cu::is_capturing());
  cu::synchronize_stream();  // x is there
  {
    const auto scope = cu::using_stream(stream);
    add(x, 2);
    CHECK(x.item<float>() == 3);
  }
}

TEST_CASE("what waits for the GPU or reads the host's memory is refused with a reason", "[graph]") {
  Array x = array({1.f}).to("cuda");
  const Array host = array({5.f}).to("cpu");
  const cu::Stream stream;
  const auto record = [&](auto work) { cu::Graph graph(stream, work); };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(record([&] { x.item(); }), ContainsSubstring("cannot be recorded: the host reads"));
  CHECK_THROWS_WITH(record([&] { host.to("cuda"); }), ContainsSubstring("cannot be recorded: a copy of the host's"));
  CHECK_THROWS_AS(record([&] { cu::synchronize_stream(); }), CudaError);
  CHECK_THROWS_WITH(record([&] { record([] {}); }), ContainsSubstring("inside another"));
  add(x, 1);
  CHECK(x.item<float>() == 2);
}

#endif
