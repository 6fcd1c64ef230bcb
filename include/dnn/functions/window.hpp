/// The arguments of functions with sliding windows, and the sizes that follow from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dnn/core/expect.hpp"
#include "dnn/kernels/im2col.hpp"

namespace dnn::inline DNN_ABI {

/// A number for both axes of an image, or one for each: `3` or `{3, 5}` (vertical, horizontal).
struct Pair {
  std::int64_t y, x;

  constexpr Pair(std::int64_t both) noexcept : y(both), x(both) {}
  constexpr Pair(std::int64_t vertical, std::int64_t horizontal) noexcept : y(vertical), x(horizontal) {}

  friend constexpr bool operator==(Pair, Pair) = default;
  friend std::string to_text(Pair pair) { return concat("(", pair.y, ", ", pair.x, ")"); }
};

/// The number of places of a window on an axis of length `size`: (size + 2 pad - dilate (k - 1) - 1) / stride + 1,
/// rounded up instead of down with `cover_all`. May be zero or negative. Throws ArgumentError naming `op` for sizes
/// that cannot be.
inline std::int64_t window_places(std::string_view op, std::int64_t size, std::int64_t ksize, std::int64_t stride,
                                  std::int64_t pad, bool cover_all = false, std::int64_t dilate = 1) {
  constexpr std::int64_t limit = std::int64_t{1} << 30;  // keeps every sum below within 64 bits
  DNN_EXPECT(op, size <= (limit << 10));
  DNN_EXPECT(op, ksize >= 1);
  DNN_EXPECT(op, ksize <= limit);
  DNN_EXPECT(op, stride >= 1);
  DNN_EXPECT(op, stride <= limit);
  DNN_EXPECT(op, pad >= 0);
  DNN_EXPECT(op, pad <= limit);
  DNN_EXPECT(op, dilate >= 1);
  DNN_EXPECT(op, dilate <= limit);
  const auto steps = size + 2 * pad - dilate * (ksize - 1) - 1 + (cover_all ? stride - 1 : 0);
  return steps < 0 ? 0 : steps / stride + 1;
}

/// The length of an axis on which a window has `places` places: the inverse of `window_places`.
inline std::int64_t window_extent(std::string_view op, std::int64_t places, std::int64_t ksize, std::int64_t stride,
                                  std::int64_t pad, bool cover_all = false, std::int64_t dilate = 1) {
  window_places(op, places, ksize, stride, pad, cover_all, dilate);  // checks the arguments
  return stride * (places - 1) + dilate * (ksize - 1) + 1 - 2 * pad - (cover_all ? stride - 1 : 0);
}

}  // namespace dnn::inline DNN_ABI
