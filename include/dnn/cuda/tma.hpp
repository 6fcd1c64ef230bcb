/// Boxes of matrices copied to shared memory by Hopper's copy engine ("TMA"), and the barriers that say when they are
/// there. For sm_90 and later, and for the emulation.
///
///     // one thread                                         // those who read
///     barrier.arrive_expecting(TensorMap::box_bytes);       barrier.wait(phase % 2);
///     map.copy_box(to, barrier, x, y, z);
///
/// The emulation copies as late as is allowed, when somebody waits for the barrier, and by what PTX ISA says of
/// barriers and swizzles. It does not prove how the driver encodes a TensorMap: no GPU has run this header yet.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstdint>
#include <cstring>

#include "dnn/core/error.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/cuda/mma.hpp"
#include "dnn/cuda/runtime.hpp"

#if !DNN_EMULATED
#include <cuda.h>  // for its types: the driver's function is looked up when it is needed
#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define DNN_TMA 1
#else
#define DNN_TMA 0
#endif

namespace dnn::inline DNN_ABI::cu {

#if !DNN_EMULATED
namespace detail {
/// The driver's function, without linking to the driver.
inline auto tensor_map_encoder() {
  static const auto function = [] {
    void* address = nullptr;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &address, 12000, cudaEnableDefault, &found));
#else
    check(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &address, cudaEnableDefault, &found));
#endif
    if (found != cudaDriverEntryPointSuccess) throw CudaError("[tensor map] the driver is older than CUDA 12");
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(address);
  }();
  return function;
}
}  // namespace detail
#endif

class TransferBarrier;

/// Matrices z of rows y of 16-bit elements x, as a kernel hands them to the copy engine. A kernel's parameter of this
/// type is marked DNN_GRID_CONSTANT: the engine reads it where it lies.
class TensorMap {
 public:
  static constexpr int box = 64, box_bytes = box * box * 2;

  /// `columns`, `rows` and `matrices` elements; rows are `row`, matrices are `matrix` elements apart. Addresses and
  /// distances are multiples of 16 bytes.
  static TensorMap of_16bit(const void* data, std::int64_t columns, std::int64_t rows, std::int64_t matrices,
                            std::int64_t row, std::int64_t matrix) {
    constexpr std::int64_t most = std::int64_t{1} << 32, furthest = std::int64_t{1} << 39;
    for (const auto size : {columns, rows, matrices}) {
      DNN_EXPECT("tensor map", size > 0);
      DNN_EXPECT("tensor map", size <= most);
    }
    for (const auto distance : {row, matrix}) {
      DNN_EXPECT("tensor map", distance > 0);
      DNN_EXPECT("tensor map", distance < furthest);
      DNN_EXPECT("tensor map", distance % 8 == 0);
    }
    const auto address = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(data));
    DNN_EXPECT("tensor map", address % 16 == 0);
    TensorMap out;
#if DNN_EMULATED
    out.data_ = data, out.columns_ = columns, out.rows_ = rows, out.matrices_ = matrices;
    out.row_ = row, out.matrix_ = matrix;
#else
    const cuuint64_t sizes[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows),
                                static_cast<cuuint64_t>(matrices)};
    const cuuint64_t bytes[] = {static_cast<cuuint64_t>(row) * 2, static_cast<cuuint64_t>(matrix) * 2};
    const cuuint32_t boxes[] = {box, box, 1}, steps[] = {1, 1, 1};
    const auto result =
        detail::tensor_map_encoder()(&out.map_, CU_TENSOR_MAP_DATA_TYPE_UINT16, 3, const_cast<void*>(data), sizes,
                                     bytes, boxes, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                     CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS) {
      throw CudaError("[tensor map] cuTensorMapEncodeTiled fails with code ", static_cast<int>(result));
    }
#endif
    return out;
  }

  /// Starts to copy the elements from (x, y) on of matrix z, 64 rows of 64, to `to` (from a 1024-byte boundary on),
  /// where they lie as SwizzledMatrix has it. What is outside of the matrix is 0. `barrier` is told of `box_bytes`.
  DNN_DEVICE void copy_box(void* to, TransferBarrier& barrier, int x, int y, int z) const;

#if DNN_EMULATED
  void copy_box_now(void* to, int x, int y, int z) const {
    for (int r = 0; r < box; ++r) {
      for (int c = 0; c < box; ++c) {
        const bool inside = x + c < columns_ && y + r < rows_ && z < matrices_;
        const auto at = reinterpret_cast<std::uintptr_t>(to) + static_cast<std::uintptr_t>(r * 128 + c * 2);
        *reinterpret_cast<std::uint16_t*>(at ^ (at >> 7 & 7) << 4) =
            inside ? static_cast<const std::uint16_t*>(data_)[z * matrix_ + (y + r) * row_ + x + c] : std::uint16_t{0};
      }
    }
  }

 private:
  const void* data_;
  std::int64_t columns_, rows_, matrices_, row_, matrix_;
#else
 private:
  CUtensorMap map_;
#endif
};

/// A barrier in shared memory ("mbarrier"). A phase, counted from 0, ends when as many threads have arrived as `init`
/// says and all bytes that they expect are there; then the next one begins.
class TransferBarrier {
 public:
  /// By one thread; then `publish`, and __syncthreads before anybody uses the barrier.
  DNN_DEVICE void init(int arrivals) {
#if DNN_TMA
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)), "r"(arrivals) : "memory");
#elif DNN_EMULATED
    arrivals_ = pending_ = arrivals, bytes_ = phase_ = boxes_ = 0;
#endif
  }
  DNN_DEVICE static void publish() {
#if DNN_TMA
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
  }

  DNN_DEVICE void arrive() {
#if DNN_TMA
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
#elif DNN_EMULATED
    advance(1, 0);
#endif
  }
  /// Arrives, and lets the phase wait for so many bytes.
  DNN_DEVICE void arrive_expecting(int bytes) {
#if DNN_TMA
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)), "r"(bytes)
                 : "memory");
#elif DNN_EMULATED
    advance(1, bytes);
#endif
  }

  /// Waits for the end of the phase whose number is even (`parity` 0) or odd (1): the current one or the one before. So
  /// a fresh barrier lets those through who wait for the end of an odd phase.
  DNN_DEVICE void wait(int parity) {
#if DNN_TMA
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@!done bra again;\n"
        "}" ::"r"(shared_address(this)),
        "r"(parity)
        : "memory");
#elif DNN_EMULATED
    while (phase_ == parity) {
      if (boxes_ == 0) host::block_runner().sleep(this, "TransferBarrier::wait", Where::here());
      for (; boxes_ > 0; advance(0, -TensorMap::box_bytes)) {
        const Box& b = under_way_[--boxes_];
        b.map.copy_box_now(b.to, b.x, b.y, b.z);
      }
    }
#endif
  }

#if DNN_EMULATED
  struct Box {
    TensorMap map;
    void* to;
    int x, y, z;
  };

  void start(const Box& box) {
    if (boxes_ == most_boxes)
      host::block_runner().fault(cudaErrorLaunchFailure, "starts more copies than are emulated");
    std::memset(box.to, 0xff, TensorMap::box_bytes);
    under_way_[boxes_++] = box;
    host::block_runner().wake(this);
  }

 private:
  static constexpr int most_boxes = 8;

  void advance(int arrivals, int bytes) {
    pending_ -= arrivals, bytes_ += bytes;
    if (pending_ < 0 || bytes_ < 0) {
      host::block_runner().fault(cudaErrorLaunchFailure, "a TransferBarrier gets more than its phase expects");
    }
    if (pending_ > 0 || bytes_ > 0) return;
    phase_ ^= 1, pending_ = arrivals_;
    host::block_runner().wake(this);
  }

  int arrivals_, pending_, bytes_, phase_, boxes_;
  Box under_way_[most_boxes];
#else
 private:
  std::uint64_t state_;
#endif
};

DNN_DEVICE inline void TensorMap::copy_box(void* to, TransferBarrier& barrier, int x, int y, int z) const {
#if DNN_TMA
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], "
      "[%5];" ::"r"(shared_address(to)),
      "l"(&map_), "r"(x), "r"(y), "r"(z), "r"(shared_address(&barrier))
      : "memory");
#elif DNN_EMULATED
  barrier.start({*this, to, x, y, z});
#else
  __trap();  // compiled for a GPU that has no copy engine
#endif
}

}  // namespace dnn::inline DNN_ABI::cu

#endif
