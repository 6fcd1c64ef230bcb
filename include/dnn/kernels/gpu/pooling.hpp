/// Pooling on the GPU, a thread for each result: kernels/pooling.hpp's contract. What the CPU scatters is gathered
/// here, by each pixel from the windows that see it: no atomics, so the sums are the same in every run.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "dnn/kernels/gpu/for_each_index.hpp"
#include "dnn/kernels/gpu/window.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

namespace detail {

template <class T>
struct MaxPooling {
  Window32 w;
  const T* x;
  T* y;
  std::int32_t* cells;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [plane, place] = w.places.divide(static_cast<Index32>(i));
    const T* image = x + plane * w.pixels.value;
    T best = -std::numeric_limits<T>::infinity();
    std::int32_t best_cell = 0;
    w.for_each_cell(place, [&](int pixel, int cell) {
      const T value = image[pixel];
      if (!(value <= best) && best == best) {  // NaN is larger, and stays
        best = value;
        best_cell = cell;
      }
    });
    y[i] = best;
    cells[i] = best_cell;
  }
};

template <class T>
struct GatherCells {
  Window32 w;
  const T* x;
  const std::int32_t* cells;
  T* y;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [plane, place] = w.places.divide(static_cast<Index32>(i));
    if (cells[i] < 0) {
      y[i] = std::numeric_limits<T>::quiet_NaN();
      return;
    }
    const int pixel = w.pixel(place, static_cast<Index32>(cells[i]));
    y[i] = pixel < 0 ? T(0) : x[plane * w.pixels.value + static_cast<Index32>(pixel)];
  }
};

template <class T>
struct ScatterCells {
  Window32 w;
  const T* y;
  const std::int32_t* cells;
  T* x;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [plane, pixel] = w.pixels.divide(static_cast<Index32>(i));
    const Index32 first = plane * w.places.value;
    T sum = 0;
    w.for_each_window(pixel, [&](int place, int cell) {
      const std::int32_t held = cells[first + static_cast<Index32>(place)];
      if (held == cell) sum += y[first + static_cast<Index32>(place)];
      else if (held < 0) sum = std::numeric_limits<T>::quiet_NaN();
    });
    x[i] = sum;
  }
};

template <class T>
struct SumWindows {
  Window32 w;
  const T* x;
  T* y;
  T scale;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [plane, place] = w.places.divide(static_cast<Index32>(i));
    const T* image = x + plane * w.pixels.value;
    T sum = 0;
    w.for_each_cell(place, [&](int pixel, int) { sum += image[pixel]; });
    y[i] = sum * scale;
  }
};

template <class T>
struct SpreadWindows {
  Window32 w;
  const T* y;
  T* x;
  T scale;

  DNN_HD void operator()(std::int64_t i) const {
    const auto [plane, pixel] = w.pixels.divide(static_cast<Index32>(i));
    const T* places = y + plane * w.places.value;
    T sum = 0;
    w.for_each_window(pixel, [&](int place, int) { sum += places[place]; });
    x[i] = sum * scale;
  }
};

/// body(window, first pixel, first place, planes) for parts of the planes, if there is anything to compute.
template <class Body>
void for_each_pooled_part(const Window2D& w, std::int64_t planes, Body body) {
  if (w.pixels() == 0 || w.places() == 0) return;
  for_each_plane_part(planes, std::max(w.pixels(), w.places()), [&](std::int64_t first, std::int64_t count) {
    body(Window32(w), first * w.pixels(), first * w.places(), count);
  });
}

}  // namespace detail

template <class T>
void max_pooling(const Window2D& w, std::int64_t planes, const T* x, T* y, std::int32_t* cells) {
  detail::for_each_pooled_part(w, planes, [&](const Window32& window, auto pixel, auto place, std::int64_t count) {
    for_each_index("max_pooling", count * w.places(),
                   detail::MaxPooling<T>{window, x + pixel, y + place, cells + place});
  });
}

template <class T>
void gather_cells(const Window2D& w, std::int64_t planes, const T* x, const std::int32_t* cells, T* y) {
  detail::for_each_pooled_part(w, planes, [&](const Window32& window, auto pixel, auto place, std::int64_t count) {
    for_each_index("gather_cells", count * w.places(),
                   detail::GatherCells<T>{window, x + pixel, cells + place, y + place});
  });
}

template <class T>
void scatter_cells(const Window2D& w, std::int64_t planes, const T* y, const std::int32_t* cells, T* x) {
  detail::for_each_pooled_part(w, planes, [&](const Window32& window, auto pixel, auto place, std::int64_t count) {
    for_each_index("scatter_cells", count * w.pixels(),
                   detail::ScatterCells<T>{window, y + place, cells + place, x + pixel});
  });
}

template <class T>
void sum_windows(const Window2D& w, std::int64_t planes, const T* x, double scale, T* y) {
  detail::for_each_pooled_part(w, planes, [&](const Window32& window, auto pixel, auto place, std::int64_t count) {
    for_each_index("sum_windows", count * w.places(),
                   detail::SumWindows<T>{window, x + pixel, y + place, static_cast<T>(scale)});
  });
}

template <class T>
void spread_windows(const Window2D& w, std::int64_t planes, const T* y, double scale, T* x) {
  detail::for_each_pooled_part(w, planes, [&](const Window32& window, auto pixel, auto place, std::int64_t count) {
    for_each_index("spread_windows", count * w.pixels(),
                   detail::SpreadWindows<T>{window, y + place, x + pixel, static_cast<T>(scale)});
  });
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
