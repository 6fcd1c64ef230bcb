/// Every value put back where max_pooling_2d found it, zeros elsewhere.
#pragma once

#include <cstdint>

#include "dnn/functions/labels.hpp"
#include "dnn/functions/pooling/pooling_2d.hpp"
#include "dnn/kernels/for_each_index.hpp"

namespace dnn::inline DNN_ABI::inline functions {

namespace nodes {

/// The cell, or -1 where the window has none of that number.
struct KnownCell {
  std::int32_t* cells;
  const std::int64_t* given;
  std::int64_t count;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t cell = given[i];
    cells[i] = cell >= 0 && cell < count ? static_cast<std::int32_t>(cell) : -1;
  }
};

}  // namespace nodes

/// x (N, C, H, W), `indices` as max_pooling_2d_with_indices returns them (any integer dtype, the shape of x) ->
/// (N, C, out_h, out_w), sizes as unpooling_2d's. Values that meet are added. Float dtypes. Throws ArgumentError when
/// options do not fit, an index is not inside the window, or nothing would be left; where the indices are on x's GPU,
/// and not in debug mode, such an index makes its window NaN instead.
inline Variable upsampling_2d(const Variable& x, const Array& indices, Pair ksize,
                              const Unpooling2DOptions& options = {}) {
  const auto window = nodes::unpooling_window("upsampling_2d", x.shape(), ksize, options);
  DNN_EXPECT("upsampling_2d", indices.shape() == x.shape());
  if (is_float(indices.dtype())) throw DTypeError("[upsampling_2d] indices are integers, not ", indices);
  const Array given = indices.to(int64);
  if (nodes::is_checked(given, x.device())) {
    const Array host = given.to(Device{});
    for (const auto index : host.span<std::int64_t>()) {
      DNN_EXPECT("upsampling_2d", index >= 0);
      DNN_EXPECT("upsampling_2d", index < window.cells());
    }
  }
  const UsingDevice here(x.device());
  const Array there = given.to(x.device());
  Array cells(x.shape(), int32);
  kernels::for_each_index("upsampling_2d", cells.size(), 32768,
                          nodes::KnownCell{cells.data<std::int32_t>(), there.data<std::int64_t>(), window.cells()});
  return call(make_ref<nodes::Upsampling2D>(window, cells), x);
}

}  // namespace dnn::inline DNN_ABI::inline functions
