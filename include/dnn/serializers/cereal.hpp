/// cereal's archives: an object's `serialize` written as portable binary or as JSON, and read back.
///
/// Both hold the same dictionary as an npz archive. JSON is for reading and editing small things by eye:
///
///     {
///       "predictor/l1/b": {"type": "float32", "shape": [2], "data": [0.5, 0.25]},
///       "iteration": {"type": "int64", "shape": [], "data": [7]},
///       "log": {"type": "text", "text": "[]"},
///       "best": {"type": "none"}
///     }
///
/// Numbers are written with all their digits; NaN and infinities as `NaN`, `Inf` and `-Inf`.
#pragma once

// RapidJSON 1.1, which cereal includes, computes the end of an empty stack from a null pointer, whatever the input;
// clang's sanitizer would end every program over it.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <cereal/archives/json.hpp>
#if defined(__clang__)
#pragma clang attribute pop
#endif
#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <istream>
#include <iterator>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/serializers/atomic_file.hpp"
#include "dnn/serializers/dictionary.hpp"

namespace dnn::inline DNN_ABI::serializers {
namespace detail {

/// `none`, `text` or the dtype of an array.
inline std::string type_name(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) return std::string(name_of(array->dtype()));
  return value.index() == 0 ? "none" : "text";
}
inline Array host_array(const Value& value) { return std::get<Array>(value).to(Device{}); }

// ----------------------------------------------------------------------------------------------- portable binary

inline constexpr std::string_view binary_magic = "dnn 1";

class BinaryWriter {
 public:
  explicit BinaryWriter(std::ostream& stream) : archive_(stream) {}

  void write(const Dictionary& dictionary) {
    text(binary_magic);
    number(dictionary.size());
    for (const auto& [key, value] : dictionary) {
      text(key);
      text(type_name(value));
      if (const auto* content = std::get_if<std::string>(&value)) text(*content);
      if (value.index() == 1) array(host_array(value));
    }
  }

 private:
  void number(std::uint64_t value) { archive_(value); }
  void text(std::string_view value) {
    number(value.size());
    archive_.saveBinary<1>(value.data(), static_cast<std::streamsize>(value.size()));
  }
  void array(const Array& value) {
    number(static_cast<std::uint64_t>(value.ndim()));
    for (const auto size : value.shape()) number(static_cast<std::uint64_t>(size));
    const auto bytes = static_cast<std::streamsize>(value.nbytes());
    switch (itemsize(value.dtype())) {
      case 1: return archive_.saveBinary<1>(value.bytes(), bytes);
      case 2: return archive_.saveBinary<2>(value.bytes(), bytes);
      case 4: return archive_.saveBinary<4>(value.bytes(), bytes);
      default: return archive_.saveBinary<8>(value.bytes(), bytes);
    }
  }

  cereal::PortableBinaryOutputArchive archive_;
};

/// Every length is compared with the bytes that are left before anything is allocated for it.
class BinaryReader {
 public:
  BinaryReader(std::istream& stream, std::uint64_t size) : archive_(stream), left_(size - 1) {}

  void read(Dictionary& out, std::string& entry) {
    if (text() != binary_magic) throw FileError("is not a binary archive of dnn, or of another version");
    for (auto count = number(); count > 0; --count) {
      entry.clear();
      entry = text();
      const std::string type = text();
      Value& value = out[entry];
      if (type == "none") value = std::monostate{};
      else if (type == "text") value = text();
      else value = array(dtype_from_name(type));
    }
    entry.clear();
    if (left_ != 0) throw FileError(left_, " bytes are left after the last entry");
  }

 private:
  void take(std::uint64_t count, std::uint64_t item = 1) {
    if (count > left_ / item) throw FileError("ends too early");
    left_ -= count * item;
  }
  std::uint64_t number() {
    take(sizeof(std::uint64_t));
    std::uint64_t out = 0;
    archive_(out);
    return out;
  }
  std::string text() {
    const std::uint64_t length = number();
    take(length);
    std::string out(static_cast<std::size_t>(length), '\0');
    archive_.loadBinary<1>(out.data(), static_cast<std::streamsize>(length));
    return out;
  }
  Array array(DType dtype) {
    const std::uint64_t ndim = number();
    if (ndim > static_cast<std::uint64_t>(max_ndim)) throw ShapeError(ndim, " axes, at most ", max_ndim);
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(ndim));
    for (auto& size : sizes) size = static_cast<std::int64_t>(number());
    const Shape shape{std::span<const std::int64_t>(sizes)};
    take(static_cast<std::uint64_t>(shape.size()), itemsize(dtype));
    Array out(shape, dtype, Device{});
    const auto bytes = static_cast<std::streamsize>(out.nbytes());
    switch (itemsize(dtype)) {
      case 1: archive_.loadBinary<1>(out.bytes(), bytes); break;
      case 2: archive_.loadBinary<2>(out.bytes(), bytes); break;
      case 4: archive_.loadBinary<4>(out.bytes(), bytes); break;
      default: archive_.loadBinary<8>(out.bytes(), bytes);
    }
    // A C++ bool of another value than 0 and 1 would be undefined behaviour.
    if (dtype == DType::boolean) {
      for (std::byte& b : std::span(out.bytes(), out.nbytes())) b = std::byte{b != std::byte{0}};
    }
    return out;
  }

  cereal::PortableBinaryInputArchive archive_;
  std::uint64_t left_;
};

// ---------------------------------------------------------------------------------------------------------- JSON

/// Floats travel as double, everything else as int64; both hold every value of their dtypes.
inline DType json_dtype(DType dtype) { return is_float(dtype) ? float64 : int64; }

struct JsonOut {
  const Value& value;

  template <class Archive>
  void save(Archive& archive) const {
    archive(cereal::make_nvp("type", type_name(value)));
    if (const auto* text = std::get_if<std::string>(&value)) archive(cereal::make_nvp("text", *text));
    if (value.index() != 1) return;
    const Array array = host_array(value);
    archive(cereal::make_nvp("shape", std::vector<std::int64_t>(array.shape().begin(), array.shape().end())));
    if (is_float(array.dtype())) numbers<double>(archive, array.to(float64));
    else numbers<std::int64_t>(archive, array.to(int64));
  }

 private:
  template <class T, class Archive>
  static void numbers(Archive& archive, const Array& array) {
    const auto all = array.span<T>();
    archive(cereal::make_nvp("data", std::vector<T>(all.begin(), all.end())));
  }
};

struct JsonIn {
  Value& value;

  template <class Archive>
  void load(Archive& archive) {
    std::string type;
    archive(cereal::make_nvp("type", type));
    if (type == "none") {
      value = std::monostate{};
    } else if (type == "text") {
      archive(cereal::make_nvp("text", value.emplace<std::string>()));
    } else {
      const DType dtype = dtype_from_name(type);
      std::vector<std::int64_t> sizes;
      archive(cereal::make_nvp("shape", sizes));
      const Shape shape{std::span<const std::int64_t>(sizes)};
      value = is_float(dtype) ? numbers<double>(archive, shape).to(dtype) : integers(archive, shape, dtype);
    }
  }

 private:
  template <class T, class Archive>
  static Array numbers(Archive& archive, const Shape& shape) {
    std::vector<T> data;
    archive(cereal::make_nvp("data", data));
    const UsingDevice host(Device{});
    return array_from(std::span<const T>(data), shape);
  }
  template <class Archive>
  static Array integers(Archive& archive, const Shape& shape, DType dtype) {
    const Array wide = numbers<std::int64_t>(archive, shape);
    const Array out = wide.to(dtype);
    if (!array_equal(out.to(int64), wide)) throw DTypeError("a number does not fit ", dtype);
    return out;
  }
};

/// `text` with its fractional numbers in their shortest form. Throws FileError where arrays and objects nest deeper
/// than ours do, or a number is out of range. RapidJSON must not see what this keeps from it: its parser is recursive,
/// and a zero written like `0e99` is undefined behaviour in version 1.1.
inline std::string tame_json(std::string_view text) {
  constexpr int deepest = 16;
  constexpr std::string_view digits = "0123456789", number = "0123456789+-.eE";
  int depth = 0;
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i++;
    const char c = text[start];
    if (c == '"') {
      while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
      i = std::min(i + 1, text.size());
    } else if (c == '[' || c == '{') {
      if (++depth > deepest) throw FileError("is nested too deeply");
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == '-' || digits.find(c) != std::string_view::npos) {
      i = std::min(text.find_first_not_of(number, start), text.size());
      const std::string_view token = text.substr(start, i - start);
      double value = 0;
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
      if (token != "-" && (error != std::errc{} || end != token.data() + token.size())) {  // "-" may begin -Infinity
        throw FileError("'", token, "' is not a number that a double holds");
      }
      if (token.find_first_of(".eE") != std::string_view::npos) {
        const std::string shortest = to_text(value);
        out += shortest;
        // A whole number stays a fraction: an integer -0 would lose its sign.
        if (shortest.find_first_of(".e") == std::string::npos) out += ".0";
        continue;
      }
    }
    out += text.substr(start, i - start);
  }
  return out;
}

/// Runs `read(dictionary, entry)`; whatever goes wrong becomes a FileError that names file and entry.
template <class Read>
Dictionary read_archive(const std::string& name, const Read& read) {
  Dictionary out;
  std::string entry;
  const auto fail = [&](std::string_view reason) {
    throw FileError("[cereal] ", name, entry.empty() ? "" : concat(": entry '", entry, "'"), ": ", reason);
  };
  try {
    read(out, entry);
  } catch (const cereal::RapidJSONException& error) {
    fail(concat(entry.empty() ? "is not valid JSON" : "a value is missing or of the wrong kind", " (",
                std::string_view(error.what()), ")"));
  } catch (const std::exception& error) {  // cereal's, and ours about shapes, dtypes and lengths
    fail(error.what());
  }
  return out;
}

inline void write_archive(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write) {
  replace_file(path, [&](const std::filesystem::path& temporary) {
    std::ofstream stream(temporary, std::ios::binary);
    if (stream) write(stream);
    if (!stream.flush()) throw FileError("[cereal] ", path.string(), ": cannot be written");
  });
}
inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string out{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw FileError("[cereal] ", path.string(), ": cannot be read");
  return out;
}

}  // namespace detail

/// Writes a dictionary to a stream, as portable binary and as JSON.
inline void write_binary(std::ostream& stream, const Dictionary& dictionary) {
  detail::BinaryWriter(stream).write(dictionary);
}
inline void write_json(std::ostream& stream, const Dictionary& dictionary) {
  using Archive = cereal::JSONOutputArchive;
  if (dictionary.empty()) {
    stream << "{}";  // cereal would write nothing
    return;
  }
  // cereal's precision counts decimal places: fewer than 324 would turn small numbers into 0.
  Archive archive(stream, Archive::Options(324, Archive::Options::IndentChar::space, 1));
  for (const auto& [key, value] : dictionary) archive(cereal::make_nvp(key.c_str(), detail::JsonOut{value}));
}

/// Reads what `write_binary` and `write_json` wrote; `name` stands for the file in messages. Throws FileError.
inline Dictionary parse_binary(const std::string& bytes, const std::string& name) {
  return detail::read_archive(name, [&](Dictionary& out, std::string& entry) {
    std::istringstream stream(bytes);
    if (bytes.empty()) throw FileError("is empty");
    detail::BinaryReader(stream, bytes.size()).read(out, entry);
  });
}
inline Dictionary parse_json(const std::string& text, const std::string& name) {
  return detail::read_archive(name, [&](Dictionary& out, std::string& entry) {
    if (const auto first = text.find_first_not_of(" \t\r\n"); first == std::string::npos || text[first] != '{') {
      throw FileError("is not a JSON object");
    }
    std::istringstream stream(detail::tame_json(text));
    cereal::JSONInputArchive archive(stream);
    while (const char* key = archive.getNodeName()) {
      entry = key;
      detail::JsonIn in{out[entry]};
      archive(in);
    }
  });
}

/// Saves and loads `object` as cereal's portable binary. Loading follows the rules of `load`; the file is read whole
/// before anything is assigned. Throws FileError, SerializationError.
inline void save_binary(const std::filesystem::path& path, SerializableRef object) {
  detail::write_archive(path, [&](std::ostream& stream) { write_binary(stream, to_dictionary(object)); });
}
inline void load_binary(const std::filesystem::path& path, SerializableRef object, const LoadOptions& options = {}) {
  const Dictionary dictionary = parse_binary(detail::read_file(path), path.string());
  DictionarySource source(dictionary, path.string());
  load(source, object, options);
}

/// The same as JSON.
inline void save_json(const std::filesystem::path& path, SerializableRef object) {
  detail::write_archive(path, [&](std::ostream& stream) { write_json(stream, to_dictionary(object)); });
}
inline void load_json(const std::filesystem::path& path, SerializableRef object, const LoadOptions& options = {}) {
  const Dictionary dictionary = parse_json(detail::read_file(path), path.string());
  DictionarySource source(dictionary, path.string());
  load(source, object, options);
}

}  // namespace dnn::inline DNN_ABI::serializers
