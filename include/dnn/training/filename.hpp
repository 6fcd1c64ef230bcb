/// File names with the state of the training in them: Python's format strings, as far as file names need them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "dnn/training/json.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training {

/// Replaces every `{field}` of `pattern` by `value_of(field)`, and `{{` and `}}` by braces. A width may follow, filled
/// up with blanks or zeros: `{epoch:04}`. Throws ArgumentError for a malformed pattern.
inline std::string format_pattern(std::string_view pattern,
                                  const std::function<json::Value(std::string_view field)>& value_of) {
  const auto malformed = [&](std::string_view reason) {
    return ArgumentError(concat("[filename] \"", pattern, "\": ", reason));
  };
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool doubled = i + 1 < pattern.size() && pattern[i + 1] == c;
    if (c == '}' && !doubled) throw malformed("a '}' without '{'");
    if ((c == '{' || c == '}') && doubled) ++i;
    if (c != '{' || doubled) {
      out += c;
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
    const json::Value value = value_of(field);
    std::string text = std::holds_alternative<std::string>(value) ? value.text() : json::dump(value);
    std::size_t wanted = 0;
    for (const char digit : width) wanted = 10 * wanted + static_cast<std::size_t>(digit - '0');
    if (text.size() < wanted) text.insert(0, wanted - text.size(), width.starts_with('0') ? '0' : ' ');
    out += text;
    i = end;
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
    throw ArgumentError(
        concat("[filename] \"", pattern, "\": a trainer has no {", field,
               "}; there are {.updater.iteration} {.updater.epoch} {.updater.epoch_detail} {.elapsed_time}"));
  });
}

/// True when `pattern` could have made `name`: what is in braces became a number.
inline bool matches_pattern(std::string_view pattern, std::string_view name) {
  const auto open = pattern.find('{'), close = pattern.rfind('}');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return pattern == name;
  const auto prefix = pattern.substr(0, open), suffix = pattern.substr(close + 1);
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return false;
  const auto middle = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  // Several fields: whatever stands between them is not looked at closely.
  const bool one_field = pattern.find('{', open + 1) == std::string_view::npos;
  return !one_field || middle.find_first_not_of("0123456789.+-e ") == std::string_view::npos;
}

}  // namespace dnn::inline DNN_ABI::training
