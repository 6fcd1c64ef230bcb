/// Reading and adding to places that an array names, on the GPU.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <cstddef>
#include <cstdint>
#include <utility>

#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/kernels/gpu/scratch.hpp"
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

/// A place, and its number among the places.
struct NumberedPlace {
  std::int64_t where, number;
};

/// Places in sorted runs of `length`: each counts those of its run that come before it.
struct SortRuns {
  static constexpr std::int64_t length = 128;

  NumberedPlace* sorted;
  const std::int64_t* places;
  std::int64_t count;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t first = i / length * length, end = first + length < count ? first + length : count;
    const std::int64_t where = places[i];
    std::int64_t to = first;
    for (std::int64_t k = first; k < end; ++k) to += places[k] < where || (places[k] == where && k < i);
    sorted[to] = {where, i};
  }
};

/// Two sorted runs become one: each place moves up by those of the other run that come before it.
struct MergeRuns {
  NumberedPlace* merged;
  const NumberedPlace* runs;
  std::int64_t count, length;

  DNN_HD void operator()(std::int64_t i) const {
    const NumberedPlace own = runs[i];
    const bool in_second = i / length % 2 == 1;
    const std::int64_t begin = (i / length + (in_second ? -1 : 1)) * length;
    std::int64_t low = begin < count ? begin : count, high = begin + length < count ? begin + length : count;
    const std::int64_t first = low;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2, other = runs[middle].where;
      if (other < own.where || (in_second && other == own.where)) low = middle + 1;
      else high = middle;
    }
    merged[i - (in_second ? length : 0) + low - first] = own;
  }
};

/// The first of equal places adds up what goes to all of them, in their order.
template <class T>
struct ScatterPlaces {
  T* target;
  const T* listed;
  const NumberedPlace* sorted;
  PlacedGrid grid;

  DNN_HD void operator()(std::int64_t i) const {
    std::int64_t k = i / grid.size;
    const std::int64_t where = sorted[k].where;
    if (where < 0 || (k > 0 && sorted[k - 1].where == where)) return;
    const auto at = grid.offsets(i % grid.size);
    T sum = target[where + at.placed];
    for (; k < grid.count && sorted[k].where == where; ++k) sum += listed[sorted[k].number * grid.step + at.listed];
    target[where + at.placed] = sum;
  }
};

/// As kernels::scatter_places, to the same bits. Places are sorted first: of 10,000 each is compared with 200, where
/// threads that search for their own would read them all. The sort is our own because Thrust's would cost every program
/// that includes dnn.hpp 5 seconds of nvcc, and its reduce_by_key adds floats in no fixed order.
template <class T>
void scatter_places(T* target, const T* listed, const PlacedGrid& grid) {
  const Scratch<NumberedPlace> a(grid.count), b(grid.count);
  NumberedPlace *sorted = a.data(), *other = b.data();
  for_each_index("scatter_add", grid.count, SortRuns{sorted, grid.places, grid.count});
  for (auto length = SortRuns::length; length < grid.count; length *= 2) {
    for_each_index("scatter_add", grid.count, MergeRuns{other, sorted, grid.count, length});
    std::swap(sorted, other);
  }
  for_each_index("scatter_add", grid.count * grid.size, ScatterPlaces<T>{target, listed, sorted, grid});
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
