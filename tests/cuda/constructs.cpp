// What kernels are made of, each construct against what CUDA says of it. Runs on a GPU as well.
#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/warp.hpp"

using namespace dnn;

namespace {

#if DNN_EMULATED
#define EVERY_SCHEDULE const cu::host::UsingSchedule schedule(GENERATE("forward", "reverse", "random:1", "random:2"))
#else
#define EVERY_SCHEDULE static_cast<void>(0)
#endif

/// The n numbers that a kernel of one or more blocks writes.
template <class T, class... P>
std::vector<T> run_construct(void (*kernel)(T*, P...), int n, const cu::LaunchShape& shape, P... parameters) {
  const auto device = using_device("cuda:0");
  Array out({n}, dtype_of<T>());
  cu::check(cudaMemsetAsync(out.bytes(), 0, out.nbytes(), cu::current_stream()));
  cu::launch("construct", kernel, shape, out.data<T>(), parameters...);
  const Array host = out.to("cpu");
  return {host.span<T>().begin(), host.span<T>().end()};
}

template <class T>
DNN_KERNEL void shuffles(T* out) {
  const int i = cu::thread_rank();
  const T own = T(i);
  out[i] = cu::shuffle(own, 3);
  out[64 + i] = cu::shuffle_xor(own, 5);
  out[128 + i] = cu::shuffle_up(own, 2);
  out[192 + i] = cu::shuffle_down(own, 2);
  out[256 + i] = cu::shuffle(own, 1, 8);
  out[320 + i] = cu::shuffle_down(own, 3, 8);
  out[384 + i] = cu::warp_reduce<8>(own, [](T a, T b) { return a + b; });
}

template <class T>
DNN_KERNEL void votes(T* out) {
  const int i = cu::thread_rank();
  const unsigned odd = cu::ballot(i % 2 == 1);
  const bool any = cu::any(i == 40), all = cu::all(i >= 32);
  // Halves of a warp that go separate ways.
  unsigned half = 0;
  if (cu::lane() < 16) half = cu::ballot(true, 0x0000ffffu);
  else half = cu::ballot(false, 0xffff0000u);
  cu::sync_warp();
  out[i] = T((odd == 0xaaaaaaaau) + 2 * any + 4 * all + 8 * (half == 0xffffu));
}

template <class T>
DNN_KERNEL void barriers_that_count(T* out) {
  const int i = cu::thread_rank();
  const int count = __syncthreads_count(i < 10), any = __syncthreads_or(i == 5), all = __syncthreads_and(i < 64);
  const int none = __syncthreads_or(0), not_all = __syncthreads_and(i > 0);
  out[i] = T(count + 100 * any + 1000 * all + 10000 * none + 20000 * not_all);
}

template <class T>
DNN_KERNEL void atomics(T* out) {
  const int i = cu::thread_rank();
  atomicAdd(out + 0, 2);
  atomicMax(out + 1, i);
  atomicMin(out + 2, -i);
  atomicOr(out + 3, 1 << (i % 8));
  atomicExch(out + 4, 7);
  atomicSub(out + 5, 1);
  // A lock-free update.
  int seen = out[6];
  for (int expected = seen - 1; expected != seen;) {
    expected = seen;
    seen = atomicCAS(out + 6, expected, expected + 3);
  }
}

template <class T>
DNN_KERNEL void many_dimensions(T* out) {
  const int block = static_cast<int>(blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z));
  out[block * cu::block_threads() + cu::thread_rank()] =
      T(static_cast<int>(threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z + 1000 * blockIdx.x + 10000 * blockIdx.y) +
        100000 * static_cast<int>(blockIdx.z));
}

template <class T>
DNN_KERNEL void much_shared_memory(T* out, int n) {
  DNN_DYNAMIC_SHARED(T, numbers);
  DNN_SHARED(T, few, [2][3]);
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) numbers[i] = T(i);
  if (threadIdx.x < 6) few[threadIdx.x / 3][threadIdx.x % 3] = T(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = numbers[n - 1 - static_cast<int>(threadIdx.x)] + few[1][2];
}

template <class T>
DNN_KERNEL void reduces(T* out) {
  const int i = cu::thread_rank();
  const auto sum = [](T a, T b) { return a + b; };
  const T once = cu::block_reduce(T(i), sum, T(0));
  const T again = cu::block_reduce(once, sum, T(0));
  out[i] = once + again;
}

}  // namespace

TEST_CASE("lanes read each other's values", "[cuda]") {
  EVERY_SCHEDULE;
  const auto check = [](const auto& got) {
    for (int i = 0; i < 64; ++i) {
      const auto lane = i % 32, warp = i - lane;
      const auto at = [&](int k) { return static_cast<int>(got[static_cast<std::size_t>(k * 64 + i)]); };
      REQUIRE(at(0) == warp + 3);
      REQUIRE(at(1) == warp + (lane ^ 5));
      REQUIRE(at(2) == (lane < 2 ? i : i - 2));
      REQUIRE(at(3) == (lane >= 30 ? i : i + 2));
      REQUIRE(at(4) == i / 8 * 8 + 1);
      REQUIRE(at(5) == (i % 8 >= 5 ? i : i + 3));
      REQUIRE(at(6) == i / 8 * 64 + 28);
    }
  };
  check(run_construct(&shuffles<float>, 448, {1, 64}));
  check(run_construct(&shuffles<double>, 448, {1, 64}));
  check(run_construct(&shuffles<std::int64_t>, 448, {1, 64}));
  check(run_construct(&shuffles<std::int32_t>, 448, {1, {8, 8}}));
}

TEST_CASE("lanes vote, and parts of a warp go separate ways", "[cuda]") {
  EVERY_SCHEDULE;
  const auto got = run_construct(&votes<std::int32_t>, 64, {1, 64});
  for (int i = 0; i < 64; ++i) {
    CHECK(got[static_cast<std::size_t>(i)] == (i < 32 ? 1 : 7) + (i % 32 < 16 ? 8 : 0));
  }
}

TEST_CASE("barriers count", "[cuda]") {
  EVERY_SCHEDULE;
  for (const int v : run_construct(&barriers_that_count<std::int32_t>, 64, {1, 64})) REQUIRE(v == 1110);
}

TEST_CASE("atomics", "[cuda]") {
  EVERY_SCHEDULE;
  const auto got = run_construct(&atomics<std::int32_t>, 7, {3, 64});
  CHECK(got == std::vector<std::int32_t>{384, 63, -63, 255, 7, -192, 576});
}

TEST_CASE("grids and blocks of three dimensions", "[cuda]") {
  EVERY_SCHEDULE;
  const auto got = run_construct(&many_dimensions<std::int32_t>, 2 * 3 * 2 * 24, {{2, 3, 2}, {4, 3, 2}});
  std::size_t i = 0;
  for (int bz = 0; bz < 2; ++bz)
    for (int by = 0; by < 3; ++by)
      for (int bx = 0; bx < 2; ++bx)
        for (int z = 0; z < 2; ++z)
          for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 4; ++x)
              REQUIRE(got[i++] == x + 10 * y + 100 * z + 1000 * bx + 10000 * by + 100000 * bz);
}

TEST_CASE("dynamic shared memory beyond 48 KB beside static", "[cuda]") {
  EVERY_SCHEDULE;
  const int n = 15000;  // every GPU has 64 KB
  const auto got = run_construct(&much_shared_memory<float>, 96, {2, 96, n * sizeof(float)}, n);
  for (int i = 0; i < 96; ++i) REQUIRE(got[static_cast<std::size_t>(i)] == static_cast<float>(n - 1 - i + 5));
}

TEST_CASE("a block adds up, twice in a row", "[cuda]") {
  EVERY_SCHEDULE;
  for (const int threads : {32, 64, 1024}) {
    const int sum = threads * (threads - 1) / 2;
    for (const int v : run_construct(&reduces<std::int32_t>, threads, {1, static_cast<unsigned>(threads)})) {
      REQUIRE(v == sum + threads * sum);
    }
  }
}

#if DNN_EMULATED

TEST_CASE("schedules have names", "[cuda]") {
  using cu::host::Schedule;
  CHECK(Schedule::from_name("random:7").order == Schedule::Order::random);
  CHECK(Schedule::from_name("random:7").state != Schedule::from_name("random:8").state);
  for (const char* name : {"", "backward", "random", "random:", "random:x", "random:1x"}) {
    CHECK_THROWS_WITH(Schedule::from_name(name), Catch::Matchers::ContainsSubstring("forward, reverse or random:SEED"));
  }
}

TEST_CASE("a recording follows events to other streams, which must come back", "[cuda]") {
  const auto device = using_device("cuda:0");
  Array x({64}, int32);
  cu::check(cudaMemsetAsync(x.bytes(), 0, x.nbytes(), nullptr));
  cu::synchronize();
  cu::Stream origin, branch;
  cu::Event fork, join;
  const auto record = [&](bool come_back) {
    cu::check(cudaStreamBeginCapture(origin.get(), cudaStreamCaptureModeRelaxed));
    fork.record(origin.get());
    branch.wait(fork);
    {
      const auto scope = cu::using_stream(branch);
      cu::launch("votes", &votes<std::int32_t>, {1, 64}, x.data<std::int32_t>());
    }
    join.record(branch.get());
    if (come_back) origin.wait(join);
    cudaGraph_t graph = nullptr;
    const auto error = cudaStreamEndCapture(origin.get(), &graph);
    cudaGetLastError();
    if (graph) {
      cudaGraphExec_t executable = nullptr;
      cu::check(cudaGraphInstantiate(&executable, graph, 0));
      cu::check(cudaGraphLaunch(executable, origin.get()));
      origin.synchronize();
      cudaGraphExecDestroy(executable);
      cudaGraphDestroy(graph);
    }
    return error;
  };
  CHECK(record(false) == cudaErrorStreamCaptureUnjoined);
  CHECK(x.to("cpu").at<std::int32_t>(0) == 0);
  CHECK(record(true) == cudaSuccess);
  CHECK(x.to("cpu").at<std::int32_t>(0) == 9);
}

#endif

#undef EVERY_SCHEDULE

#endif
