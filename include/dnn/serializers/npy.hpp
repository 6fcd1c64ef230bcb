/// npy: one array, one text or None with its header; the members of an npz archive.
///
/// Read: format versions 1, 2 and 3; either byte order; C and Fortran order; up to eight axes.
///
/// | stored           | becomes                                                   |
/// | ---------------- | --------------------------------------------------------- |
/// | f2 f4 f8         | float16, float32, float64                                 |
/// | i4 i8 u1 b1      | int32, int64, uint8, bool (any byte but 0 is true)        |
/// | i1 i2 u2 / u4 u8 | int32 / int64 (a u8 above 2^63 - 1 is an error)           |
/// | U of shape ()    | text, UTF-8                                               |
/// | O                | None; its pickle is not looked at                         |
///
/// Written: version 1.0, little endian, C order, byte for byte as NumPy 1.24 does. NumPy has no bfloat16: it is written
/// as float32, which holds each of its values; reading into a bfloat16 target converts back without loss.
///
/// Whatever the bytes are, the worst is a FileError that names file, entry and reason: nothing is read beyond them, and
/// nothing is allocated before it is known that they hold the elements that the header announces.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dnn/array/array.hpp"
#include "dnn/core/dtype.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/shape.hpp"
#include "dnn/core/text.hpp"
#include "dnn/kernels/copy.hpp"
#include "dnn/serializers/byte_source.hpp"
#include "dnn/serializers/dictionary.hpp"

namespace dnn::inline DNN_ABI::serializers {

/// What a header says.
struct NpyHeader {
  char kind = 'f';         ///< NumPy's letter: f, i, u, b, U or O.
  std::int64_t width = 4;  ///< Bytes of an element; for U its number of code points.
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
  std::size_t size = 0;  ///< Bytes up to the first element.
};

namespace detail {

/// Parses the Python dictionary of a header: three known keys in any order, no nesting beyond the tuple of sizes.
class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view text, const ByteSource& source) : text_(text), source_(source) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        parse_descr(header);
        descr = true;
      } else if (key == "fortran_order") {
        header.fortran_order = boolean();
        order = true;
      } else if (key == "shape") {
        header.shape = sizes();
        shape = true;
      } else {
        fail(concat("unknown key '", key, "'"));
      }
      if (!accept(',') && !at('}')) fail("',' or '}' expected");
    }
    if (!descr || !order || !shape) fail("descr, fortran_order and shape are not all there");
    blanks();
    if (at_ != text_.size()) fail("more text after the dictionary");
    return header;
  }

 private:
  void parse_descr(NpyHeader& header) {
    blanks();
    if (at('[')) source_.fail("structured dtypes are not supported");
    const std::string_view descr = quoted();
    const auto unsupported = [&] { source_.fail(concat("dtype '", descr, "' is not supported")); };
    if (descr.size() < 2 || std::string_view("<>|=").find(descr[0]) == std::string_view::npos) unsupported();
    header.big_endian =
        descr[0] == '>' || ((descr[0] == '=' || descr[0] == '|') && std::endian::native == std::endian::big);
    header.kind = descr[1];
    if (header.kind == 'O') return;
    const std::string_view digits = descr.substr(2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), header.width);
    if (error != std::errc{} || end != digits.data() + digits.size() || header.width < 0) unsupported();
    const std::int64_t w = header.width;
    const bool known = header.kind == 'f'                         ? w == 2 || w == 4 || w == 8
                       : header.kind == 'b'                       ? w == 1
                       : header.kind == 'i' || header.kind == 'u' ? w == 1 || w == 2 || w == 4 || w == 8
                                                                  : header.kind == 'U';
    if (!known) unsupported();
  }
  Shape sizes() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      blanks();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc{}) fail("a size expected");
      at_ = static_cast<std::size_t>(end - text_.data());
      accept('L');  // as Python 2 wrote them
      sizes.push_back(size);
      if (!accept(',') && !at(')')) fail("',' or ')' expected");
    }
    try {
      return Shape(sizes);
    } catch (const ShapeError& error) {
      source_.fail(error.what());
    }
  }
  std::string_view quoted() {
    blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("a quoted text expected");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a quoted text does not end");
    const std::string_view inner = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inner;
  }
  bool boolean() {
    blanks();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail("True or False expected");
  }
  void blanks() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool accept(char c) {
    blanks();
    if (!at(c)) return false;
    ++at_;
    blanks();
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(concat("'", c, "' expected"));
  }
  [[noreturn]] void fail(std::string_view reason) const {
    source_.fail(concat("malformed npy header at character ", at_, ": ", reason));
  }

  std::string_view text_;
  const ByteSource& source_;
  std::size_t at_ = 0;
};

/// Reverses the bytes of every element.
inline void swap_bytes(std::span<std::byte> data, std::size_t width) {
  for (std::size_t i = 0; i + width <= data.size(); i += width) std::reverse(&data[i], &data[i] + width);
}

/// Copies column-major elements of `width` bytes into row-major order.
inline void from_fortran_order(const std::byte* from, std::byte* to, const Shape& shape, std::size_t width) {
  kernels::Strides columns{};
  std::int64_t step = 1;
  for (int i = 0; i < shape.ndim(); ++i) {
    columns[static_cast<std::size_t>(i)] = step;
    step *= shape[i];
  }
  kernels::copy_strided(to, strides_of(shape), from, columns, shape, width);
}

/// Copies elements of type `From` into elements of the wider type `To`.
template <class From, class To>
void widen(std::span<const std::byte> from, std::span<std::byte> to) {
  for (std::size_t i = 0; i < from.size() / sizeof(From); ++i) {
    From value;
    std::memcpy(&value, &from[i * sizeof(From)], sizeof value);
    const auto wide = static_cast<To>(value);
    std::memcpy(&to[i * sizeof(To)], &wide, sizeof wide);
  }
}

inline void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

constexpr bool is_code_point(std::uint32_t c) noexcept { return c < 0x110000 && (c < 0xd800 || c > 0xdfff); }

/// The code points of a UTF-8 text. Throws SerializationError where it is none.
inline std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k])); };
    const std::uint32_t first = byte(i);
    const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    std::uint32_t c = length == 1 ? first : first & (0x7fu >> length);
    bool valid = first < 0x80 || (first >= 0xc0 && first < 0xf8 && i + length <= text.size());
    for (std::size_t k = 1; valid && k < length; ++k) {
      valid = (byte(i + k) & 0xc0) == 0x80;
      c = (c << 6) | (byte(i + k) & 0x3f);
    }
    if (!valid || c < smallest[length] || !is_code_point(c)) {
      throw SerializationError("[npy] a text is not valid UTF-8 at byte ", i);
    }
    out.push_back(c);
    i += length;
  }
  return out;
}

/// What follows the header of a 0-d object array that holds None, as NumPy 1.24 pickles it.
inline std::string_view none_pickle() {
  using namespace std::string_view_literals;
  return "\x80\x03"
         "cnumpy.core.multiarray\n_reconstruct\nq\x00"
         "cnumpy\nndarray\nq\x01K\x00\x85q\x02"
         "C\x01"
         "bq\x03\x87q\x04Rq\x05(K\x01)"
         "cnumpy\ndtype\nq\x06X\x02\x00\x00\x00O8q\x07\x89\x88\x87q\x08Rq\x09(K\x03X\x01\x00\x00\x00|q\x0aNNNJ"
         "\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\x0b"
         "b\x89]q\x0cNatq\x0d"
         "b."sv;
}

/// A header as NumPy 1.24 writes it: with room for the first size to grow, then blanks up to a multiple of 64 bytes.
inline std::string npy_header(std::string_view descr, const Shape& shape) {
  std::string text = concat("{'descr': '", descr, "', 'fortran_order': False, 'shape': ", shape, ", }");
  constexpr std::size_t prefix = 10, alignment = 64, growth_digits = 21;
  if (shape.ndim() > 0) text.append(growth_digits - to_text(shape[0]).size(), ' ');
  text.append(alignment - (prefix + text.size() + 1) % alignment, ' ');
  text += '\n';
  const auto low = static_cast<char>(text.size() & 0xff), high = static_cast<char>(text.size() >> 8);
  return concat(std::string_view("\x93NUMPY\x01\x00", 8), low, high) + text;
}

constexpr std::string_view npy_descr(DType dtype) noexcept {
  constexpr std::string_view descrs[] = {"<f4", "<f8", "<f2", "<f4", "<i4", "<i8", "|u1", "|b1"};
  return descrs[static_cast<std::size_t>(dtype)];
}

}  // namespace detail

/// Reads the header and leaves `source` at the first element.
inline NpyHeader read_npy_header(ByteSource& source) {
  std::array<std::byte, 12> prefix;
  source.read(std::span(prefix).first(8));
  if (std::memcmp(prefix.data(), "\x93NUMPY", 6) != 0) source.fail("is not an npy file: the magic number is missing");
  const int version = std::to_integer<int>(prefix[6]);
  if (version < 1 || version > 3 || std::to_integer<int>(prefix[7]) != 0) {
    source.fail(concat("npy version ", version, ".", std::to_integer<int>(prefix[7]), " is not supported"));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  source.read(std::span(prefix).subspan(8, length_bytes));
  std::uint64_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(prefix[8 + i]);
  // A header of three short values; NumPy itself stops at 10,000.
  if (length > 65535) source.fail(concat("an npy header of ", length, " bytes is too long"));
  std::string text(length, '\0');
  source.read(std::as_writable_bytes(std::span(text)));
  NpyHeader header = detail::NpyHeaderParser(text, source).parse();
  header.size = 8 + length_bytes + text.size();
  return header;
}

/// The dtype that a number of this kind and width is read as.
inline DType npy_dtype(const NpyHeader& header) {
  switch (header.kind) {
    case 'f': return header.width == 2 ? DType::float16 : header.width == 4 ? DType::float32 : DType::float64;
    case 'b': return DType::boolean;
    case 'u': return header.width == 1 ? DType::uint8 : header.width == 2 ? DType::int32 : DType::int64;
    default: return header.width == 8 ? DType::int64 : DType::int32;
  }
}

/// Reads a whole npy file or archive member. Throws FileError.
inline Value read_npy(ByteSource& source) {
  const NpyHeader header = read_npy_header(source);
  if (header.kind == 'O') {
    if (header.shape.ndim() != 0)
      source.fail(concat("objects of shape ", header.shape, " are not supported, only None"));
    return std::monostate{};
  }

  const auto width = static_cast<std::size_t>(header.width) * (header.kind == 'U' ? 4 : 1);
  const auto count = static_cast<std::uint64_t>(header.shape.size());
  // A damaged archive may declare fewer bytes than it gives.
  const std::uint64_t there = source.size() - std::min<std::uint64_t>(header.size, source.size());
  if (header.width > (1 << 30) || (width != 0 && count > there / width) || count * width != there) {
    source.fail(concat("shape ", header.shape, " of ", width, "-byte elements does not fit the ", there,
                       " bytes after the header"));
  }
  const bool swap = header.big_endian != (std::endian::native == std::endian::big);

  if (header.kind == 'U') {
    if (header.shape.ndim() != 0) source.fail(concat("text of shape ", header.shape, " is not supported, only of ()"));
    std::vector<std::uint32_t> text(width / 4);
    const auto bytes = std::as_writable_bytes(std::span(text));
    source.read(bytes);
    source.expect_end();
    if (swap) detail::swap_bytes(bytes, 4);
    while (!text.empty() && text.back() == 0) text.pop_back();
    std::string out;
    for (const std::uint32_t c : text) {
      if (!detail::is_code_point(c)) source.fail(concat("text holds ", c, ", which is no Unicode character"));
      detail::append_utf8(out, c);
    }
    return out;
  }

  const DType dtype = npy_dtype(header);
  Array array(header.shape, dtype, Device{});
  const std::span<std::byte> elements(array.bytes(), array.nbytes());
  const bool widened = width != itemsize(dtype);
  std::vector<std::byte> buffer(widened || header.fortran_order ? static_cast<std::size_t>(there) : 0);
  const std::span<std::byte> stored = buffer.empty() ? elements : std::span(buffer);
  source.read(stored);
  source.expect_end();
  if (swap) detail::swap_bytes(stored, width);
  if (header.fortran_order && !buffer.empty()) {
    std::vector<std::byte> rows(widened ? buffer.size() : 0);
    const std::span<std::byte> to = widened ? std::span(rows) : elements;
    detail::from_fortran_order(buffer.data(), to.data(), header.shape, width);
    buffer = std::move(rows);
  }
  if (widened) {
    if (width == 1) detail::widen<std::int8_t, std::int32_t>(buffer, elements);
    else if (width == 4) detail::widen<std::uint32_t, std::int64_t>(buffer, elements);
    else if (header.kind == 'i') detail::widen<std::int16_t, std::int32_t>(buffer, elements);
    else detail::widen<std::uint16_t, std::int32_t>(buffer, elements);
  }
  if (header.kind == 'b') {
    for (std::byte& b : elements) b = b == std::byte{0} ? b : std::byte{1};
  }
  if (header.kind == 'u' && width == 8) {
    for (std::size_t i = 0; i < elements.size(); i += width) {
      std::int64_t value;
      std::memcpy(&value, &elements[i], sizeof value);
      if (value < 0) source.fail("holds an unsigned number above 2^63 - 1, which int64 cannot hold");
    }
  }
  return array;
}

/// The header that precedes `array`'s elements: of float32 where the array is bfloat16.
inline std::string npy_header(const Array& array) {
  return detail::npy_header(detail::npy_descr(array.dtype()), array.shape());
}
/// A whole npy file that holds a text: `<U` of shape (). Throws SerializationError when it is not UTF-8.
inline std::string npy_of_text(std::string_view text) {
  std::vector<std::uint32_t> points = detail::code_points(text);
  if (points.empty()) points.push_back(0);  // NumPy's empty text has one NUL
  const auto bytes = std::as_writable_bytes(std::span(points));
  if constexpr (std::endian::native == std::endian::big) detail::swap_bytes(bytes, 4);
  std::string out = detail::npy_header(concat("<U", points.size()), Shape{});
  return out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
/// A whole npy file that holds None: a 0-d object array.
inline std::string npy_of_none() { return detail::npy_header("|O", Shape{}) + std::string(detail::none_pickle()); }

}  // namespace dnn::inline DNN_ABI::serializers
