// Mistakes that a GPU may forgive, planted: the emulator must find each of them, under every schedule.
#include "dnn/core/abi.hpp"

#if DNN_EMULATED

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/warp.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int block_size = 64;

/// What the emulator says of a kernel on one array of floats; empty when it has nothing to say.
template <class... P>
std::string fault_of(void (*kernel)(float*, P...), const cu::LaunchShape& shape, P... parameters) {
  const Array x = zeros({block_size}).to("cuda:0");
  const auto device = using_device("cuda:0");
  std::string text;
  try {
    Array y = x.copy();
    cu::launch("planted", kernel, shape, y.data<float>(), parameters...);
    cu::synchronize();
  } catch (const CudaError& e) {
    text = e.what();
  }
  cu::host::forgive();
  return text;
}
/// The floats that a kernel computes.
std::vector<float> result_of(void (*kernel)(float*), const cu::LaunchShape& shape) {
  const auto device = using_device("cuda:0");
  Array y({block_size});
  cu::launch("planted", kernel, shape, y.data<float>());
  const auto host = y.to("cpu");
  return {host.span<float>().begin(), host.span<float>().end()};
}

int rank() { return static_cast<int>(threadIdx.x); }

// Exchanges values through shared memory.
void exchange_with_barrier(float* out) {
  DNN_SHARED(float, tile, [block_size]);
  tile[rank()] = static_cast<float>(rank());
  __syncthreads();
  out[rank()] = tile[block_size - 1 - rank()];
}
void exchange_without_barrier(float* out) {
  DNN_SHARED(float, tile, [block_size]);
  tile[rank()] = static_cast<float>(rank());
  out[rank()] = tile[block_size - 1 - rank()];
}
/// The second round overwrites what others have not read yet.
void rounds_without_second_barrier(float* out) {
  DNN_SHARED(float, tile, [block_size]);
  float sum = 0;
  for (int round = 0; round < 3; ++round) {
    tile[rank()] = static_cast<float>(round * block_size + rank());
    __syncthreads();
    sum += tile[(rank() + 1) % block_size];
  }
  out[rank()] = sum;
}
/// Who writes last?
void race(float* out) {
  DNN_SHARED(float, last, [1]);
  last[0] = static_cast<float>(rank());
  __syncthreads();
  out[rank()] = last[0];
}

void divergent_barrier(float* out) {
  if (rank() < 16) __syncthreads();
  out[rank()] = 1;
}
void early_return(float* out) {
  if (rank() >= 40) return;
  __syncthreads();
  out[rank()] = 1;
}
void two_barriers(float* out) {
  if (rank() < 32) {
    __syncthreads();
  } else {
    out[rank()] = 1;
    __syncthreads();
  }
}
void wrong_mask(float* out) { out[rank()] = __shfl_sync(0x0000ffffu, 1.f, 0); }
void lanes_gone(float* out) {
  if (rank() % 32 >= 16) return;
  out[rank()] = cu::warp_reduce(1.f, [](float a, float b) { return a + b; });
}
void lanes_disagree(float* out) {
  if (rank() % 2) out[rank()] = cu::shuffle_xor(1.f, 1);
  else out[rank()] = cu::any(true);
}
void all_lanes(float* out) { out[rank()] = cu::any(true); }
void waits_for_each_other(float* out) {
  if (rank() < 32) __syncthreads();
  else if (rank() == 32) __syncwarp();
  out[rank()] = 1;
}

void beyond_the_end(float* out, int i) {
  if (rank() == 0) out[i] = 1;
}
void beyond_shared(float* out, int i) {
  DNN_SHARED(float, tile, [33]);
  DNN_DYNAMIC_SHARED(float, dynamic);
  if (i >= 0) (&tile[0])[i] = 1;
  else dynamic[-i] = 1;
  out[rank()] = 0;
}
void follows(float* out, const float* p) { out[rank()] = p[0]; }
template <class F>
void follows_member(float* out, F f) {
  out[rank()] = *f.p;
}
void throws(float*) { throw std::runtime_error("in a kernel"); }
void traps(float*) { __trap(); }
void recurses(float* out, int depth) {
  volatile float frame[256];
  frame[depth % 256] = 1;
  if (depth > 0) recurses(out, depth - 1);
  out[0] = frame[depth % 256];
}
void uses_uninitialised(float* out) {
  DNN_SHARED(float, tile, [block_size]);
  out[rank()] += tile[rank()];
}

const char* any_schedule() { return GENERATE("forward", "reverse", "random:1", "random:2"); }

/// What the child process says before it dies.
template <class Body>
std::string last_words(Body&& body) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDERR_FILENO);
    ::signal(SIGSEGV, SIG_DFL);  // not Catch2's handler
    cu::synchronize();
    body();
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string text;
  char buffer[256];
  for (ssize_t got = 0; (got = ::read(pipe[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status == 0) text += "survived";
  return text;
}

}  // namespace

TEST_CASE("a missing barrier shows in every schedule", "[cuda]") {
  const cu::host::UsingSchedule schedule(any_schedule());
  const auto right = result_of(&exchange_with_barrier, {2, block_size});
  for (int i = 0; i < block_size; ++i)
    REQUIRE(right[static_cast<std::size_t>(i)] == static_cast<float>(block_size - 1 - i));
  const auto wrong = result_of(&exchange_without_barrier, {2, block_size});
  int differences = 0;
  for (std::size_t i = 0; i < block_size; ++i) differences += right[i] != wrong[i];
  CHECK(differences > 8);
}

TEST_CASE("a barrier that is missing at the end of a round shows", "[cuda]") {
  const cu::host::UsingSchedule schedule(any_schedule());
  const auto got = result_of(&rounds_without_second_barrier, {1, block_size});
  int differences = 0;
  for (int i = 0; i < block_size; ++i) {
    differences += got[static_cast<std::size_t>(i)] != static_cast<float>(3 * ((i + 1) % block_size) + 3 * block_size);
  }
  CHECK(differences > 0);
}

TEST_CASE("a race gives other results under other schedules", "[cuda]") {
  const auto last = [](const char* name) {
    const cu::host::UsingSchedule schedule(name);
    return result_of(&race, {1, block_size})[0];
  };
  CHECK(last("forward") == block_size - 1);
  CHECK(last("reverse") == 0);
  CHECK(last("random:1") != last("random:2"));
}

TEST_CASE("barriers that not all threads reach are reported", "[cuda]") {
  const cu::host::UsingSchedule schedule(any_schedule());
  CHECK(fault_of(&exchange_with_barrier, {3, block_size}).empty());
  const auto divergent = fault_of(&divergent_barrier, {1, block_size});
  CHECK_THAT(divergent,
             ContainsSubstring("cudaErrorLaunchFailure") && ContainsSubstring("kernel 'planted', block (0, "));
  CHECK_THAT(divergent, ContainsSubstring("left the kernel") && ContainsSubstring("faults.cpp:"));
  CHECK_THAT(fault_of(&early_return, {1, block_size}), ContainsSubstring("left the kernel"));
  CHECK_THAT(fault_of(&two_barriers, {1, block_size}), ContainsSubstring("waits at the barrier of faults.cpp:"));
  CHECK_THAT(fault_of(&waits_for_each_other, {1, block_size}), ContainsSubstring("kernel 'planted'"));
}

TEST_CASE("warp functions whose lanes are not all there are reported", "[cuda]") {
  const cu::host::UsingSchedule schedule(any_schedule());
  CHECK_THAT(fault_of(&wrong_mask, {1, block_size}),
             ContainsSubstring("__shfl_sync") && ContainsSubstring("lacks the calling lane"));
  CHECK_THAT(fault_of(&lanes_gone, {1, block_size}), ContainsSubstring("__shfl_xor_sync"));
  CHECK_THAT(fault_of(&lanes_disagree, {1, block_size}), ContainsSubstring("lanes of its warp wait for it"));
  CHECK_THAT(fault_of(&all_lanes, {1, 33}), ContainsSubstring("do not exist"));
}

TEST_CASE("writes beyond memory are reported", "[cuda]") {
  const cu::host::UsingSchedule schedule(any_schedule());
  CHECK(fault_of(&beyond_the_end, {1, block_size}, block_size - 1).empty());
  CHECK_THAT(fault_of(&beyond_the_end, {1, block_size}, block_size),
             ContainsSubstring("'planted' wrote behind an allocation of 256 bytes"));
  CHECK_THAT(fault_of(&beyond_the_end, {1, block_size}, -1),
             ContainsSubstring("wrote before an allocation of 256 bytes"));
  CHECK_THAT(fault_of(&beyond_the_end, {1, block_size}, -(1 << 30)), ContainsSubstring("no memory of its device"));
  CHECK(fault_of(&beyond_shared, {1, block_size, 8}, 32).empty());
  CHECK_THAT(fault_of(&beyond_shared, {1, block_size, 8}, 33), ContainsSubstring("beyond a shared array"));
  CHECK_THAT(fault_of(&beyond_shared, {1, block_size, 8}, -2), ContainsSubstring("beyond a shared array"));
}

TEST_CASE("addresses that a device cannot follow are reported", "[cuda]") {
  const float on_host = 1;
  CHECK_THAT(fault_of(&follows, {1, block_size}, &on_host), ContainsSubstring("parameter 1 points to host memory"));
#if defined(__GNUC__) && !defined(__clang__) && !DNN_ADDRESS_SANITIZER
  struct Functor {
    bool first;
    const float* p;
  };
  CHECK_THAT(fault_of(&follows_member<Functor>, {1, block_size}, Functor{true, &on_host}),
             ContainsSubstring("parameter 1 points to host memory"));
#endif
  const Array elsewhere = ones({4}).to("cuda:1");
  const auto fault = fault_of(&follows, {1, block_size}, elsewhere.data<float>());
  CHECK_THAT(fault, ContainsSubstring("no memory of its device"));
#if !DNN_ADDRESS_SANITIZER  // it has its say first
  CHECK_THAT(fault_of(&recurses, {1, 1}, 100000), ContainsSubstring("stack"));
#endif
}

TEST_CASE("streams and events are good on their device alone", "[cuda]") {
  cu::Event event;
  const cu::Stream stream;
  {
    const auto device = using_device("cuda:1");
    CHECK(cudaEventRecord(event.get(), nullptr) == cudaErrorInvalidResourceHandle);
    Array x({block_size});
    const auto data = x.data<float>();
    void* arguments[] = {const_cast<float**>(&data)};
    CHECK(cudaLaunchKernel(&traps, 1, 1, arguments, 0, stream.get()) == cudaErrorInvalidResourceHandle);
  }
  cu::host::forgive();
  CHECK_NOTHROW(event.record(stream.get()));
}

TEST_CASE("shared memory that a kernel was not promised is refused", "[cuda]") {
  const auto device = using_device("cuda:0");
  Array x({block_size});
  float* data = x.data<float>();
  void* arguments[] = {&data};
  CHECK(cudaLaunchKernel(&traps, 1, 1, arguments, 50 << 10) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(&traps, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10) == cudaErrorInvalidValue);
  cu::host::forgive();
  CHECK_THAT(fault_of(&beyond_shared, {1, block_size, 227 << 10}, 0), ContainsSubstring("232448 bytes of shared"));
}

TEST_CASE("pageable memory is read as late as CUDA may", "[cuda]") {
  const auto device = using_device("cuda:0");
  Array x({1});
  float value = 1;
  cu::check(cudaMemcpyAsync(x.bytes(), &value, sizeof value, cudaMemcpyHostToDevice));
  value = 2;
  CHECK(x.to("cpu").at<float>(0) == 2);
}

TEST_CASE("a kernel that ends itself is reported", "[cuda]") {
  CHECK_THAT(fault_of(&throws, {1, block_size}), ContainsSubstring("threw an exception: in a kernel"));
  CHECK_THAT(fault_of(&traps, {1, block_size}), ContainsSubstring("__trap"));
}

TEST_CASE("a fault stays until the program restarts", "[cuda]") {
  const auto device = using_device("cuda:0");
  Array x({block_size});
  cu::launch("traps", &traps, {1, block_size}, x.data<float>());
  CHECK_THROWS_WITH(cu::synchronize(), ContainsSubstring("launched last: traps"));
  CHECK_THROWS_AS(cu::launch("traps", &traps, {1, block_size}, x.data<float>()), CudaError);
  CHECK_THROWS_AS(x.to("cpu"), CudaError);
  cu::host::forgive();
  CHECK_NOTHROW(x.to("cpu"));
}

TEST_CASE("debug mode finds the launch that failed", "[cuda]") {
  const auto device = using_device("cuda:0");
  Array x({block_size});
  const auto debug = debug_mode();
  CHECK_THROWS_WITH(cu::launch("traps", &traps, {1, block_size}, x.data<float>()), ContainsSubstring("[traps]"));
  cu::host::forgive();
}

TEST_CASE("memory that nobody wrote is not a number", "[cuda]") {
  const auto device = using_device("cuda:0");
  for (int round = 0; round < 2; ++round) {  // fresh from the device, and from the pool
    const Array x = Array({block_size}).to("cpu");
    for (const float v : x.span<float>()) REQUIRE(std::isnan(v));
    for (const float v : result_of(&uses_uninitialised, {1, block_size})) REQUIRE(std::isnan(v));
  }
}

#if !DNN_ADDRESS_SANITIZER  // its own report comes first
TEST_CASE("a host that follows a device's pointer is told so", "[cuda]") {
  const Array x = ones({block_size}).to("cuda:0");
  const auto* p = x.data<float>();
  CHECK_THAT(last_words([p] { [[maybe_unused]] const volatile float v = *p; }),
             ContainsSubstring("the host read or wrote memory of a CUDA device"));
  CHECK_THROWS_WITH(x.span<float>(), ContainsSubstring(".to(\"cpu\")"));
  CHECK_THROWS_AS(x.at<float>(0), DeviceError);
}
#endif

#endif
