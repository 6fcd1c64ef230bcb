/// What products do in registers, compiled for each instruction set that dispatch.hpp chooses from, and the copies of
/// matrices that it works on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "dnn/kernels/dispatch.hpp"
#include "dnn/kernels/pack.hpp"
#include "dnn/kernels/scratch.hpp"

namespace dnn::inline DNN_ABI::kernels::detail {

/// A matrix as elements x(i, j) = data[i * row + j * column].
template <class T>
struct StridedMatrix {
  const T* data;
  std::int64_t row, column;

  StridedMatrix block(std::int64_t i, std::int64_t j) const noexcept {
    return {data + i * row + j * column, row, column};
  }
};

/// The largest tile of C, and of dot products: for buffers of drivers that do not know the instruction set.
inline constexpr std::size_t most_tile_bytes = 8 * 2 * 64;
inline constexpr std::int64_t most_dot_rows = 4;

#define DNN_TILE_BYTES 0
namespace baseline {
#include "dnn/kernels/tiles_of_isa.hpp"
}  // namespace baseline
#undef DNN_TILE_BYTES

#if DNN_DISPATCH
#if defined(__AVX2__) && defined(__FMA__)
namespace avx2 = baseline;
#else
#define DNN_TILE_BYTES 32
DNN_BEGIN_ISA("avx2,fma")
namespace avx2 {
#include "dnn/kernels/tiles_of_isa.hpp"
}  // namespace avx2
DNN_END_ISA
#undef DNN_TILE_BYTES
#endif

#define DNN_TILE_BYTES 64
DNN_BEGIN_ISA("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")
namespace avx512 {
#include "dnn/kernels/tiles_of_isa.hpp"
}  // namespace avx512
DNN_END_ISA
#undef DNN_TILE_BYTES

/// The Tiles of an instruction set that is known when the program runs.
template <class T>
struct AnyTiles {
  Isa isa;
  std::int64_t width = 0, rows = 0, rows_of_dots = 0, columns_of_dots = 0;

  constexpr explicit AnyTiles(Isa set) : isa(set) {
    call([this](auto tiles) {
      width = tiles.width, rows = tiles.rows;
      rows_of_dots = tiles.rows_of_dots, columns_of_dots = tiles.columns_of_dots;
    });
  }
  void pack_rows(auto... a) const {
    call([=](auto tiles) { tiles.pack_rows(a...); });
  }
  void pack_columns(auto... a) const {
    call([=](auto tiles) { tiles.pack_columns(a...); });
  }
  void multiply(auto... a) const {
    call([=](auto tiles) { tiles.multiply(a...); });
  }
  void multiply_distant(auto... a) const {
    call([=](auto tiles) { tiles.multiply_distant(a...); });
  }
  void multiply_dots(auto... a) const {
    call([=](auto tiles) { tiles.multiply_dots(a...); });
  }
  void multiply_by_dots(auto... a) const {
    call([=](auto tiles) { tiles.multiply_by_dots(a...); });
  }
  void multiply_by_rows(auto... a) const {
    call([=](auto tiles) { tiles.multiply_by_rows(a...); });
  }

 private:
  template <class F>
  constexpr void call(F f) const {
    switch (isa) {
      case Isa::avx512: return f(avx512::Tiles<T>{});
      case Isa::avx2: return f(avx2::Tiles<T>{});
      case Isa::baseline: return f(baseline::Tiles<T>{});
    }
  }
};

template <class T>
const AnyTiles<T>& tiles() {
  static constexpr AnyTiles<T> all[] = {AnyTiles<T>(Isa::baseline), AnyTiles<T>(Isa::avx2), AnyTiles<T>(Isa::avx512)};
  return all[static_cast<int>(cpu_isa())];
}
#else
template <class T>
constexpr baseline::Tiles<T> tiles() noexcept {
  return {};
}
#endif

}  // namespace dnn::inline DNN_ABI::kernels::detail
