/// Reading and adding to places that an array names, on the GPU.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/kernels/placed_grid.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

template <class Word>
struct GatherPlaces {
  Word* listed;
  const Word* source;
  PlacedGrid grid;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t place = i / grid.size, from = grid.places[place];
    const auto at = grid.offsets(i % grid.size);
    Word value = from == PlacedGrid::zeros ? Word(0) : static_cast<Word>(~Word(0));
    if (from >= 0) value = source[from + at.placed];
    listed[place * grid.step + at.listed] = value;
  }
};

/// As kernels::gather_places.
inline void gather_places(void* listed, const void* source, std::size_t item, const PlacedGrid& grid) {
  const auto run = [&]<class Word>(Word* to) {
    for_each_index("gather", grid.count * grid.size, GatherPlaces<Word>{to, static_cast<const Word*>(source), grid});
  };
  switch (item) {
    case 1: return run(static_cast<std::uint8_t*>(listed));
    case 2: return run(static_cast<std::uint16_t*>(listed));
    case 4: return run(static_cast<std::uint32_t*>(listed));
    default: return run(static_cast<std::uint64_t*>(listed));
  }
}

/// One thread adds up, in order, everything that goes to one element of the grid at the places of its bucket: places
/// that meet are in the same bucket, so the sums do not depend on how threads are scheduled.
template <class T>
struct ScatterPlaces {
  T* target;
  const T* listed;
  PlacedGrid grid;
  std::int64_t buckets;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t bucket = i / grid.size;
    const auto at = grid.offsets(i % grid.size);
    for (std::int64_t place = 0; place < grid.count; ++place) {
      const std::int64_t where = grid.places[place];
      if (where < 0 || where / 3 % buckets != bucket) continue;
      target[where + at.placed] += listed[place * grid.step + at.listed];
    }
  }
};

/// As kernels::scatter_places.
template <class T>
void scatter_places(T* target, const T* listed, const PlacedGrid& grid) {
  const auto buckets = std::clamp<std::int64_t>(65536 / std::max<std::int64_t>(grid.size, 1), 1, 1024);
  for_each_index("scatter_add", grid.size * buckets, ScatterPlaces<T>{target, listed, grid, buckets});
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
