// Copies of boxes, and the barriers they report to. Runs on a Hopper GPU as well, but for the planted mistakes.
#include "dnn/cuda/tma.hpp"

#if DNN_CUDA

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "dnn/core/dtype.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/cuda/warp.hpp"
#include "dnn/memory/device.hpp"
#include "kernels/gpu/device_memory.hpp"

using namespace dnn;
using namespace device_test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr int box = cu::TensorMap::box;

#if DNN_EMULATED
#define EVERY_SCHEDULE const cu::host::UsingSchedule schedule(GENERATE("forward", "reverse", "random:1", "random:2"))
#else
#define EVERY_SCHEDULE static_cast<void>(0)
#endif

bool has_copy_engine() {
  const bool has = cu::attribute(cudaDevAttrComputeCapabilityMajor) >= 9 || DNN_EMULATED;
  if (!has) WARN("skipped: a GPU of compute capability 9.0 is needed");
  return has;
}

/// What a kernel may do wrong.
struct Plan {
  int expected_bytes = cu::TensorMap::box_bytes;
  bool waits = true;
  int parity = 0;
};

/// The box at (x, y) of matrix z, row by row, by a block of 64 threads.
template <class T>
DNN_KERNEL void box_of(T* out, const DNN_GRID_CONSTANT cu::TensorMap map, int x, int y, int z, Plan plan) {
  DNN_DYNAMIC_SHARED(unsigned char, memory);
  DNN_SHARED(cu::TransferBarrier, barrier, [1]);
  memory += -reinterpret_cast<std::uintptr_t>(memory) & 1023;
  if (threadIdx.x == 0) {
    barrier[0].init(1);
    cu::TransferBarrier::publish();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    barrier[0].arrive_expecting(plan.expected_bytes);
    map.copy_box(memory, barrier[0], x, y, z);
  }
  __syncthreads();
  if (plan.waits) barrier[0].wait(plan.parity);
  const int r = static_cast<int>(threadIdx.x);
  for (int c = 0; c < box; ++c) {
    out[r * box + c] = reinterpret_cast<const T*>(memory)[r * box + (c / 8 ^ r % 8) * 8 + c % 8];
  }
}

/// Two warps that take turns; each round must see what the other one left in the round before.
template <class T>
DNN_KERNEL void take_turns(T* out, int rounds) {
  DNN_SHARED(cu::TransferBarrier, filled, [1]);
  DNN_SHARED(cu::TransferBarrier, read, [1]);
  DNN_SHARED(T, value, [32]);
  if (threadIdx.x == 0) {
    filled[0].init(32);
    read[0].init(32);
    cu::TransferBarrier::publish();
  }
  __syncthreads();
  for (int i = 0; i < rounds; ++i) {
    if (cu::warp() == 0) {
      read[0].wait((i + 1) % 2);
      value[cu::lane()] = T(32 * i + cu::lane());
      filled[0].arrive();
    } else {
      filled[0].wait(i % 2);
      out[32 * i + cu::lane()] = value[31 - cu::lane()];
      read[0].arrive();
    }
  }
}

/// Matrices that fill no box, rows apart and matrices apart by more than they hold.
struct Padded {
  static constexpr std::int64_t columns = 83, rows = 70, matrices = 2, row = 88, matrix = 70 * 88 + 16;
};

std::vector<Float16> box_at(int x, int y, int z, const Plan& plan = {}) {
  const DeviceVector<Float16> data(random_numbers<Float16>(Padded::matrices * Padded::matrix, 1));
  const DeviceVector<Float16> out(random_numbers<Float16>(box * box, 2));
  const auto map = cu::TensorMap::of_16bit(data.data(), Padded::columns, Padded::rows, Padded::matrices, Padded::row,
                                           Padded::matrix);
  cu::launch("box", box_of<Float16>, {1, box, cu::TensorMap::box_bytes + 1024}, out.data(), map, x, y, z, plan);
  return out.values();
}

}  // namespace

TEST_CASE("boxes of matrices arrive swizzled, with zeros around the matrix", "[gpu]") {
  const auto device = using_device("cuda:0");
  if (!has_copy_engine()) return;
  EVERY_SCHEDULE;
  const auto data = random_numbers<Float16>(Padded::matrices * Padded::matrix, 1);
  const int z = GENERATE(0, 1);
  for (const auto& [x, y] :
       {std::pair{0, 0}, std::pair{8, 3}, std::pair{64, 64}, std::pair{83, 0}, std::pair{0, 128}}) {
    const auto found = box_at(x, y, z);
    int wrong = 0;
    for (int r = 0; r < box; ++r) {
      for (int c = 0; c < box; ++c) {
        const bool inside = x + c < Padded::columns && y + r < Padded::rows;
        const auto expected =
            inside ? data[static_cast<std::size_t>(z * Padded::matrix + (y + r) * Padded::row + x + c)] : Float16{};
        if (found[static_cast<std::size_t>(r * box + c)].bits != expected.bits) ++wrong;
      }
    }
    INFO("from " << x << ", " << y);
    CHECK(wrong == 0);
  }
}

TEST_CASE("barriers count phases", "[gpu]") {
  const auto device = using_device("cuda:0");
  if (!has_copy_engine()) return;
  EVERY_SCHEDULE;
  constexpr int rounds = 5;
  const DeviceVector<float> out(std::vector<float>(32 * rounds));
  cu::launch("turns", take_turns<float>, {1, 64}, out.data(), rounds);
  const auto values = out.values();
  for (int i = 0; i < 32 * rounds; ++i) {
    REQUIRE(values[static_cast<std::size_t>(i)] == static_cast<float>(i / 32 * 32 + 31 - i % 32));
  }
}

TEST_CASE("what the copy engine does not take is refused", "[gpu]") {
  const auto device = using_device("cuda:0");
  const DeviceVector<Float16> data(random_numbers<Float16>(100, 1));
  const auto map = [&](std::size_t shift, std::int64_t width, std::int64_t distance) {
    cu::TensorMap::of_16bit(data.data() + shift, width, 2, 1, distance, distance);
  };
  CHECK_THROWS_WITH(map(1, 8, 8), ContainsSubstring("[tensor map] address % 16 == 0"));
  CHECK_THROWS_WITH(map(0, 8, 9), ContainsSubstring("[tensor map] distance % 8 == 0"));
  CHECK_THROWS_WITH(map(0, 0, 8), ContainsSubstring("[tensor map] size > 0"));
}

#if DNN_EMULATED
TEST_CASE("mistakes with copies and barriers show", "[gpu]") {
  const auto device = using_device("cuda:0");
  EVERY_SCHEDULE;
  const auto fault_of = [](const Plan& plan) {
    std::string text;
    try {
      box_at(0, 0, 0, plan);
    } catch (const CudaError& e) {
      text = e.what();
    }
    cu::host::forgive();
    return text;
  };
  CHECK_THAT(fault_of({.expected_bytes = 100}),
             ContainsSubstring("a TransferBarrier gets more than its phase expects"));
  CHECK_THAT(fault_of({.expected_bytes = 10000}), ContainsSubstring("no thread can go on: thread"));
  // What was not waited for is not there.
  CHECK(box_at(0, 0, 0, {.waits = false})[5].bits == 0xffff);
  CHECK(box_at(0, 0, 0, {.parity = 1})[5].bits == 0xffff);
}
#endif

#endif
