/// Reading and adding to places that an array names: indexing and table lookup, on the current device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dnn/kernels/parallel_for.hpp"
#include "dnn/kernels/placed_grid.hpp"
#include "dnn/memory/device.hpp"
#if DNN_CUDA
#include "dnn/kernels/gpu/gather.hpp"
#endif

namespace dnn::inline DNN_ABI::kernels {

/// listed[place * step + ...] = source[places[place] + ...] over the grid, for elements of `item` bytes.
inline void gather_places(void* listed, const void* source, std::size_t item, const PlacedGrid& grid) {
#if DNN_CUDA
  if (on_gpu()) return gpu::gather_places(listed, source, item, grid);
#endif
  const auto [columns, rows, placed_step, listed_step] = grid.rows();
  parallel_for(grid.count, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(grid.size, 1)),
               [&, columns = columns, rows = rows, placed = placed_step, in_list = listed_step](std::int64_t begin,
                                                                                                std::int64_t end) {
                 const auto bytes = static_cast<std::int64_t>(item);
                 for (auto place = begin; place < end; ++place) {
                   const auto from = grid.places[place];
                   for (std::int64_t row = 0; row < rows; ++row) {
                     const auto at = grid.offsets(row * columns);
                     auto* to = static_cast<std::byte*>(listed) + (place * grid.step + at.listed) * bytes;
                     const auto* p =
                         static_cast<const std::byte*>(source) + (std::max<std::int64_t>(from, 0) + at.placed) * bytes;
                     if (from >= 0 && placed == 1 && in_list == 1) {
                       std::memcpy(to, p, static_cast<std::size_t>(columns) * item);
                       continue;
                     }
                     for (std::int64_t k = 0; k < columns; ++k, to += in_list * bytes, p += placed * bytes) {
                       if (from >= 0) std::memcpy(to, p, item);
                       else std::memset(to, from == PlacedGrid::zeros ? 0 : 0xff, item);
                     }
                   }
                 }
               });
}

/// target[places[place] + ...] += listed[place * step + ...] over the grid. Places that occur repeatedly are added up
/// in their order; those that are no places are left out. The grids of different places are the same or apart.
template <class T>
void scatter_places(T* target, const T* listed, const PlacedGrid& grid) {
#if DNN_CUDA
  if (on_gpu()) return gpu::scatter_places(target, listed, grid);
#endif
  const auto [columns, rows, placed_step, listed_step] = grid.rows();
  for (std::int64_t place = 0; place < grid.count; ++place) {
    if (grid.places[place] < 0) continue;
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto at = grid.offsets(row * columns);
      T* to = target + grid.places[place] + at.placed;
      const T* from = listed + place * grid.step + at.listed;
      for (std::int64_t k = 0; k < columns; ++k) to[k * placed_step] += from[k * listed_step];
    }
  }
}

}  // namespace dnn::inline DNN_ABI::kernels
