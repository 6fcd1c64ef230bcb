/// Reading gzip data through zlib, with a bound on what comes out.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::datasets {

inline bool is_gzip(std::span<const std::uint8_t> bytes) noexcept {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/// The decompressed contents of a gzip file, at most `max_bytes` of them. Memory grows with what is really there, not
/// with what a header claims. Throws FileError naming `file` on damage, truncation, trailing bytes or too much output.
inline std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, std::size_t max_bytes,
                                        std::string_view file) {
  const auto fail = [&](const auto&... reason) -> FileError { return FileError("[gzip] ", file, ": ", reason...); };
  constexpr std::size_t max_piece = std::numeric_limits<uInt>::max();
  constexpr int gzip_only = 16 + MAX_WBITS;

  z_stream stream{};
  if (inflateInit2(&stream, gzip_only) != Z_OK) throw fail("zlib could not be initialised");
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } const end{&stream};

  std::vector<std::uint8_t> out;
  // The last four bytes say how much there is. Addresses are set aside for it, memory is not.
  if (bytes.size() >= 4) {
    std::size_t claimed = 0;
    for (int i = 1; i <= 4; ++i) claimed = claimed << 8 | bytes[bytes.size() - static_cast<std::size_t>(i)];
    // One byte more, which is not reached: to see the end. Deflate shrinks nothing to less than a 1032nd.
    out.reserve(std::min({claimed, max_bytes, 1032 * bytes.size()}) + 1);
  }
  std::size_t in_used = 0, out_used = 0;
  while (true) {
    if (out_used == out.size()) {
      // One byte beyond the bound tells "exactly the bound" from "more".
      if (out_used > max_bytes) throw fail("more than ", max_bytes, " bytes decompressed");
      const auto more = std::min(std::max<std::size_t>(2 * out.size(), 1 << 16), max_bytes + 1);
      out.resize(out.size() < out.capacity() ? std::min(more, out.capacity()) : more);
    }
    const auto in_piece = std::min(bytes.size() - in_used, max_piece);
    const auto out_piece = std::min(out.size() - out_used, max_piece);
    stream.next_in = const_cast<Bytef*>(bytes.data() + in_used);  // zlib's older interface; it does not write there
    stream.avail_in = static_cast<uInt>(in_piece);
    stream.next_out = out.data() + out_used;
    stream.avail_out = static_cast<uInt>(out_piece);
    const int status = inflate(&stream, Z_NO_FLUSH);
    in_used += in_piece - stream.avail_in;
    out_used += out_piece - stream.avail_out;
    if (status == Z_STREAM_END) break;
    if (status == Z_BUF_ERROR && in_used == bytes.size()) throw fail("truncated after ", bytes.size(), " bytes");
    if (status != Z_OK) throw fail("damaged: ", std::string_view(stream.msg ? stream.msg : "not gzip data"));
  }
  if (out_used > max_bytes) throw fail("more than ", max_bytes, " bytes decompressed");
  if (in_used != bytes.size()) throw fail(bytes.size() - in_used, " bytes after the end of the compressed data");
  out.resize(out_used);
  if (out.capacity() - out_used > out_used / 8) out.shrink_to_fit();
  return out;
}

}  // namespace dnn::inline DNN_ABI::datasets
