/// File names with the state of the training in them: Python's format strings, as far as file names need them.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/training/json.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training {

namespace detail {

/// A piece of a pattern: text that stands for itself, or a field with the width it is filled up to.
struct PatternPart {
  bool is_field;
  std::string text;
  std::size_t width = 0;
  char fill = ' ';
};

inline std::vector<PatternPart> parse_pattern(std::string_view pattern) {
  const auto malformed = [&](std::string_view reason) {
    return ArgumentError("[filename] \"", pattern, "\": ", reason);
  };
  std::vector<PatternPart> parts;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool doubled = i + 1 < pattern.size() && pattern[i + 1] == c;
    if (c == '}' && !doubled) throw malformed("a '}' without '{'");
    if ((c == '{' || c == '}') && doubled) ++i;
    if (c != '{' || doubled) {
      if (parts.empty() || parts.back().is_field) parts.push_back({false, {}});
      parts.back().text += c;
      continue;
    }
    const auto end = pattern.find('}', i);
    if (end == std::string_view::npos) throw malformed("a '{' without '}'");
    std::string_view field = pattern.substr(i + 1, end - i - 1), width;
    if (const auto colon = field.find(':'); colon != std::string_view::npos) {
      width = field.substr(colon + 1);
      field = field.substr(0, colon);
    }
    if (width.ends_with('d')) width.remove_suffix(1);
    if (width.size() > 3 || width.find_first_not_of("0123456789") != std::string_view::npos) {
      throw malformed("after ':' only a width of up to three digits is understood");
    }
    PatternPart part{true, std::string(field), 0, width.starts_with('0') ? '0' : ' '};
    for (const char digit : width) part.width = 10 * part.width + static_cast<std::size_t>(digit - '0');
    parts.push_back(std::move(part));
    i = end;
  }
  return parts;
}

/// True when `text` is just what a number becomes in the field: 7 is "7", with the width 03 "007", never "07".
inline bool is_number_of(const PatternPart& field, std::string_view text) {
  if (text.size() < field.width) return false;
  if (text.size() == field.width) {
    while (text.size() > 1 && text[0] == field.fill && (field.fill == ' ' || (text[1] >= '0' && text[1] <= '9'))) {
      text.remove_prefix(1);
    }
  }
  const char *begin = text.data(), *end = begin + text.size();
  const auto is_text_of = [&](auto value) {
    const auto [stop, failed] = std::from_chars(begin, end, value);
    return failed == std::errc{} && stop == end && json::dump(value) == text;
  };
  return is_text_of(std::int64_t{}) || is_text_of(double{});
}

inline bool matches_parts(std::span<const PatternPart> parts, std::string_view name) {
  if (parts.empty()) return name.empty();
  const auto& part = parts[0];
  if (!part.is_field) {
    return name.starts_with(part.text) && matches_parts(parts.subspan(1), name.substr(part.text.size()));
  }
  for (std::size_t length = 1; length <= name.size(); ++length) {
    if (is_number_of(part, name.substr(0, length)) && matches_parts(parts.subspan(1), name.substr(length))) return true;
  }
  return false;
}

}  // namespace detail

/// Replaces every `{field}` of `pattern` by `value_of(field)`, and `{{` and `}}` by braces. A width may follow, filled
/// up with blanks or zeros: `{epoch:04}`. Throws ArgumentError for a malformed pattern.
inline std::string format_pattern(std::string_view pattern,
                                  const std::function<json::Value(std::string_view field)>& value_of) {
  std::string out;
  for (const auto& part : detail::parse_pattern(pattern)) {
    if (!part.is_field) {
      out += part.text;
      continue;
    }
    const json::Value value = value_of(part.text);
    std::string text = std::holds_alternative<std::string>(value) ? value.text() : json::dump(value);
    if (text.size() < part.width) text.insert(0, part.width - text.size(), part.fill);
    out += text;
  }
  return out;
}

/// `snapshot_iter_{.updater.iteration}`: a pattern over a trainer. Fields are `.updater.iteration`, `.updater.epoch`,
/// `.updater.epoch_detail` and `.elapsed_time`. Throws ArgumentError for others.
inline std::string format_filename(std::string_view pattern, const Trainer& trainer) {
  return format_pattern(pattern, [&](std::string_view field) -> json::Value {
    if (field.starts_with('0')) field.remove_prefix(1);
    if (field == ".updater.iteration") return trainer.updater().iteration();
    if (field == ".updater.epoch") return trainer.updater().epoch();
    if (field == ".updater.epoch_detail") return trainer.updater().epoch_detail();
    if (field == ".elapsed_time") return trainer.elapsed_time();
    throw ArgumentError("[filename] \"", pattern, "\": a trainer has no {", field,
                        "}; there are {.updater.iteration} {.updater.epoch} {.updater.epoch_detail} {.elapsed_time}");
  });
}

/// True when `pattern` with a number in each of its fields is `name`. Throws ArgumentError for a malformed pattern.
inline bool matches_pattern(std::string_view pattern, std::string_view name) {
  return detail::matches_parts(detail::parse_pattern(pattern), name);
}

}  // namespace dnn::inline DNN_ABI::training
