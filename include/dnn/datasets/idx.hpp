/// The IDX format of MNIST and its relatives: a magic number, the sizes of the axes, then the elements, row-major.
///
///     byte 0, 1   zero
///     byte 2      element type; 0x08 (unsigned byte) is the one read here
///     byte 3      number of axes
///     4 each      sizes of the axes, big-endian
///     rest        the elements
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "dnn/core/error.hpp"
#include "dnn/core/shape.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// What an IDX file holds. `data` points into the bytes that were parsed.
struct Idx {
  Shape shape;
  std::span<const std::uint8_t> data;
};

/// Parses the bytes of an (uncompressed) IDX file; nothing is copied or allocated, whatever the header promises.
///
/// Throws FileError naming `file` and the reason: too short for its header, a wrong magic number, an element type other
/// than unsigned byte, more axes than a Shape holds, or a length other than the one the header gives.
inline Idx parse_idx(std::span<const std::uint8_t> bytes, std::string_view file) {
  const auto fail = [&](const auto&... reason) -> FileError { return FileError("[idx] ", file, ": ", reason...); };
  if (bytes.size() < 4) throw fail(bytes.size(), " bytes are too few for an IDX header");
  if (bytes[0] != 0 || bytes[1] != 0) {
    throw fail("not an IDX file: starts with bytes ", int{bytes[0]}, ", ", int{bytes[1]}, " instead of 0, 0");
  }
  if (bytes[2] != 0x08) throw fail("element type ", int{bytes[2]}, " is not supported, only 8 (unsigned byte) is");
  const int ndim = bytes[3];
  if (ndim < 1 || ndim > max_ndim) throw fail(ndim, " axes; 1 to ", max_ndim, " are supported");
  const std::size_t header = 4 + 4 * static_cast<std::size_t>(ndim);
  if (bytes.size() < header) throw fail(bytes.size(), " bytes, but the header alone takes ", header);

  std::array<std::int64_t, max_ndim> sizes{};
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(ndim); ++axis) {
    for (const std::uint8_t byte : bytes.subspan(4 + 4 * axis, 4)) sizes[axis] = sizes[axis] << 8 | byte;
  }
  Idx idx;
  try {
    idx.shape = Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(ndim)));
  } catch (const ShapeError& error) {
    throw fail("impossible shape: ", std::string_view(error.what()));
  }
  idx.data = bytes.subspan(header);
  if (idx.data.size() != static_cast<std::uint64_t>(idx.shape.size())) {
    throw fail("shape ", idx.shape, " takes ", idx.shape.size(), " bytes, but ", idx.data.size(), " follow the header");
  }
  return idx;
}

}  // namespace dnn::inline DNN_ABI::datasets
