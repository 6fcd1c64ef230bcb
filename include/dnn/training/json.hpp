/// The JSON of logs and snapshots: what Python's json module writes, byte for byte, and what it reads. That is JSON
/// with the numbers NaN, Infinity and -Infinity, which other libraries refuse.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::training::json {

class Value;
using Array = std::vector<Value>;
/// Members in the order in which they were written.
using Object = std::vector<std::pair<std::string, Value>>;

/// null, a bool, an integer, a floating-point number, a text, a list or an object.
class Value : public std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> {
 public:
  using variant::variant;
  Value() : variant(nullptr) {}
  Value(int number) : variant(static_cast<std::int64_t>(number)) {}
  Value(const char* text) : variant(std::string(text)) {}

  bool is_number() const noexcept {
    return std::holds_alternative<std::int64_t>(*this) || std::holds_alternative<double>(*this);
  }
  /// Each throws SerializationError when the value is something else.
  double number() const {
    if (const auto* integer = std::get_if<std::int64_t>(this)) return static_cast<double>(*integer);
    return as<double>("a number");
  }
  const std::string& text() const& { return as<std::string>("a text"); }
  const Array& array() const& { return as<Array>("a list"); }
  const Object& object() const& { return as<Object>("an object"); }
  // A loop over a part of a temporary would run over what is gone.
  void text() const&& = delete;
  void array() const&& = delete;
  void object() const&& = delete;

 private:
  template <class T>
  const T& as(std::string_view wanted) const {
    if (const auto* value = std::get_if<T>(this)) return *value;
    throw SerializationError("[json] ", wanted, " is wanted, there is something else");
  }
};

/// Python's `repr`: the shortest text that reads back as the same number, always with a point or an exponent.
inline std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  const auto e = text.find('e');
  int exponent = 0;
  const char* first = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(first, end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);

  const bool negative = text.front() == '-';
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const auto point = static_cast<std::size_t>(exponent < 0 ? 1 : exponent + 1);
  if (exponent < 0) digits.insert(0, static_cast<std::size_t>(-exponent), '0');
  if (digits.size() <= point) digits.append(point + 1 - digits.size(), '0');
  digits.insert(point, 1, '.');
  if (negative) digits.insert(0, 1, '-');
  return digits;
}

namespace detail {

inline void append_escaped(std::string& out, std::string_view text) {
  const auto append_unit = [&out](unsigned unit) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\u%04x", unit);
    out += buffer;
  };
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      ++i;
      switch (byte) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        default:
          if (byte < 0x20 || byte == 0x7f) append_unit(byte);
          else out += static_cast<char>(byte);
      }
      continue;
    }
    // UTF-8 to code point; a broken sequence becomes the replacement character.
    const int more = byte >= 0xf0 && byte < 0xf8   ? 3
                     : byte >= 0xe0 && byte < 0xf0 ? 2
                     : byte >= 0xc2 && byte < 0xe0 ? 1
                                                   : 0;
    std::uint32_t code = more == 3 ? byte & 0x07u : more == 2 ? byte & 0x0fu : byte & 0x1fu;
    bool good = more > 0;
    std::size_t next = i + 1;
    for (int k = 0; good && k < more; ++k, ++next) {
      good = next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0u) == 0x80u;
      if (good) code = code << 6 | (static_cast<unsigned char>(text[next]) & 0x3fu);
    }
    if (!good) {
      code = 0xfffd;
      next = i + 1;
    }
    i = next;
    if (code >= 0x10000) {
      append_unit(0xd800 + ((code - 0x10000) >> 10));
      append_unit(0xdc00 + ((code - 0x10000) & 0x3ff));
    } else {
      append_unit(code);
    }
  }
  out += '"';
}

inline void append(std::string& out, const Value& value, int indent, int depth);

template <class Items, class Each>
void append_list(std::string& out, const Items& items, char open, char close, int indent, int depth, Each each) {
  out += open;
  bool first = true;
  const auto new_line = [&](int level) {
    out += '\n';
    out.append(static_cast<std::size_t>(indent * level), ' ');
  };
  for (const auto& item : items) {
    if (!first) out += indent >= 0 ? "," : ", ";
    first = false;
    if (indent >= 0) new_line(depth + 1);
    each(item);
  }
  if (indent >= 0 && !items.empty()) new_line(depth);
  out += close;
}

inline void append(std::string& out, const Value& value, int indent, int depth) {
  if (std::holds_alternative<std::nullptr_t>(value)) out += "null";
  else if (const auto* boolean = std::get_if<bool>(&value)) out += *boolean ? "true" : "false";
  else if (const auto* integer = std::get_if<std::int64_t>(&value)) out += to_text(*integer);
  else if (const auto* number = std::get_if<double>(&value)) out += number_text(*number);
  else if (const auto* text = std::get_if<std::string>(&value)) append_escaped(out, *text);
  else if (const auto* array = std::get_if<Array>(&value)) {
    append_list(out, *array, '[', ']', indent, depth, [&](const Value& item) { append(out, item, indent, depth + 1); });
  } else {
    append_list(out, value.object(), '{', '}', indent, depth, [&](const auto& member) {
      append_escaped(out, member.first);
      out += ": ";
      append(out, member.second, indent, depth + 1);
    });
  }
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  Value document() {
    Value value = next(0);
    skip_blanks();
    if (at_ != text_.size()) fail("something follows the end");
    return value;
  }

 private:
  static constexpr int max_depth = 100;

  [[noreturn]] void fail(std::string_view reason) const {
    throw SerializationError("[json] ", source_, ": ", reason, " at character ", at_);
  }
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  bool take_after_blanks(std::string_view word) {
    skip_blanks();
    return take(word);
  }

  Value next(int depth) {
    if (depth > max_depth) fail("nested too deep");
    skip_blanks();
    if (at_ == text_.size()) fail("the text ends early");
    if (text_[at_] == '"') return string();
    if (take("null")) return nullptr;
    if (take("true")) return true;
    if (take("false")) return false;
    if (take("NaN")) return std::numeric_limits<double>::quiet_NaN();
    if (take("Infinity")) return std::numeric_limits<double>::infinity();
    if (take("-Infinity")) return -std::numeric_limits<double>::infinity();
    if (take("[")) {
      Array array;
      if (take_after_blanks("]")) return array;
      do array.push_back(next(depth + 1));
      while (take_after_blanks(","));
      if (!take("]")) fail("',' or ']' is missing");
      return array;
    }
    if (take("{")) {
      Object object;
      if (take_after_blanks("}")) return object;
      do {
        skip_blanks();
        if (at_ == text_.size() || text_[at_] != '"') fail("a key is missing");
        std::string key = string();
        if (!take_after_blanks(":")) fail("':' is missing");
        object.emplace_back(std::move(key), next(depth + 1));
      } while (take_after_blanks(","));
      if (!take("}")) fail("',' or '}' is missing");
      return object;
    }
    return number();
  }

  Value number() {
    const auto begin = at_;
    const auto digits = [this] {
      const auto start = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      if (at_ == start) fail("no value");
    };
    take("-");
    if (!take("0")) digits();
    bool integer = true;
    if (take(".")) {
      integer = false;
      digits();
    }
    if (take("e") || take("E")) {
      integer = false;
      if (!take("+")) take("-");
      digits();
    }
    const char *first = text_.data() + begin, *last = text_.data() + at_;
    std::int64_t whole = 0;
    if (integer && std::from_chars(first, last, whole).ec == std::errc{}) return whole;
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc::result_out_of_range) {
      // As strtod: an underflow is 0, an overflow infinite.
      real = std::strtod(std::string(first, last).c_str(), nullptr);
    }
    return real;
  }

  unsigned unit() {
    unsigned value = 0;
    const auto digits = text_.substr(at_, 4);
    const auto end = digits.data() + digits.size();
    if (digits.size() != 4 || std::from_chars(digits.data(), end, value, 16).ptr != end) fail("a broken \\u escape");
    at_ += 4;
    return value;
  }
  std::string string() {
    std::string out;
    ++at_;
    while (true) {
      if (at_ == text_.size()) fail("a text without end");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a text");
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ == text_.size()) fail("a text without end");
      const char escape = text_[at_++];
      constexpr std::string_view escapes = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
      if (const auto index = escapes.find(escape); index != std::string_view::npos) {
        out += meanings[index];
        continue;
      }
      if (escape != 'u') fail("an unknown escape");
      std::uint32_t code = unit();
      if (code >= 0xd800 && code < 0xdc00 && take("\\u")) {
        const auto low = unit();
        if (low < 0xdc00 || low > 0xdfff) fail("a lone surrogate");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      }
      append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    }
  }
  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        byte(0xe0 | code >> 12);
      } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
      }
      byte(0x80 | (code >> 6 & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
  }

  std::string_view text_, source_;
  std::size_t at_ = 0;
};

}  // namespace detail

/// `json.dumps(value, indent=indent)`; a negative indent is None, everything in one line.
inline std::string dump(const Value& value, int indent = -1) {
  std::string out;
  detail::append(out, value, indent, 0);
  return out;
}

/// Throws SerializationError that names `source` and the place where the text is malformed.
inline Value parse(std::string_view text, std::string_view source) { return detail::Parser(text, source).document(); }

}  // namespace dnn::inline DNN_ABI::training::json
