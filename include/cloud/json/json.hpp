/// JSON: nlohmann's value type, and readers that take what services really send - null for "absent", numbers as text,
/// members that are missing - without throwing. The only header that includes nlohmann-json.
///
///     Json reply = json::parse("get compute", body);
///     json::text(reply, {"properties", "provisioningState"})          // "" when absent, null or no text
///     json::integer(reply, {"properties", "properties", "maxNodeCount"}, 1)
///     for (const Json& item : json::array(reply, {"value"})) …
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/core/error.hpp"
#include "cloud/core/text.hpp"

namespace cloud {

using Json = nlohmann::json;

namespace json {

/// The way to a member: {"properties", "status"}.
using Path = std::initializer_list<std::string_view>;

inline const Json& null() {
  static const Json value;
  return value;
}

/// Reads a document; throws NetworkError saying `tried`, where it broke and how the text starts (HTML error pages).
inline Json parse(const std::string& tried, std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_discarded()) return value;
  std::string start(trim(text).substr(0, 60));
  for (char& c : start) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = ' ';
  }
  throw NetworkError(tried, trim(text).empty() ? "an empty text is not JSON" : "this is not JSON: " + start + " ...");
}

/// As parse, but null instead of an error.
inline Json parse_or_null(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  return value.is_discarded() ? Json() : value;
}

/// One line; bytes that are not UTF-8 are replaced, never an error.
inline std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }
/// Two spaces a level, for people.
inline std::string dump_pretty(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace); }

/// The member at the end of `path`; null when any step is missing or not an object.
inline const Json& at(const Json& value, Path path) {
  const Json* here = &value;
  for (const std::string_view key : path) {
    if (!here->is_object()) return null();
    const auto found = here->find(key);
    if (found == here->end()) return null();
    here = &*found;
  }
  return *here;
}

/// Text; a number or bool becomes text, everything else the fallback.
inline std::string text(const Json& value, Path path = {}, std::string fallback = {}) {
  const Json& found = at(value, path);
  if (found.is_string()) return found.get_ref<const std::string&>();
  if (found.is_number() || found.is_boolean()) return dump(found);
  return fallback;
}

/// A number, also when it is written as text: "3599", "NaN", "Infinity", "-Infinity".
inline double number(const Json& value, Path path = {}, double fallback = 0) {
  const Json& found = at(value, path);
  if (found.is_number()) return found.get<double>();
  if (!found.is_string()) return fallback;
  const std::string& written = found.get_ref<const std::string&>();
  if (written == "NaN") return std::nan("");
  if (written == "Infinity") return HUGE_VAL;
  if (written == "-Infinity") return -HUGE_VAL;
  return parse_number<double>(trim(written)).value_or(fallback);
}

/// An integer, also when it is written as text or with a fraction of zero (28800.0); the fallback when it does not fit.
inline std::int64_t integer(const Json& value, Path path = {}, std::int64_t fallback = 0) {
  const Json& found = at(value, path);
  if (found.is_number_unsigned()) {
    const auto big = found.get<std::uint64_t>();
    return big > static_cast<std::uint64_t>(INT64_MAX) ? fallback : static_cast<std::int64_t>(big);
  }
  if (found.is_number_integer()) return found.get<std::int64_t>();
  if (found.is_string()) {
    if (const auto whole = parse_number<std::int64_t>(trim(found.get_ref<const std::string&>()))) return *whole;
  }
  const double real = number(found, {}, std::nan(""));
  return std::abs(real) < 9e15 ? static_cast<std::int64_t>(real) : fallback;
}

/// A bool, also when it is written as text.
inline bool boolean(const Json& value, Path path = {}, bool fallback = false) {
  const Json& found = at(value, path);
  if (found.is_boolean()) return found.get<bool>();
  if (found.is_string() && equal_ignoring_case(found.get_ref<const std::string&>(), "true")) return true;
  if (found.is_string() && equal_ignoring_case(found.get_ref<const std::string&>(), "false")) return false;
  return fallback;
}

/// The elements of an array; none when it is absent, null or no array.
inline const Json& array(const Json& value, Path path = {}) {
  static const Json empty = Json::array();
  const Json& found = at(value, path);
  return found.is_array() ? found : empty;
}

/// The members of an object whose values are text or numbers: tags, properties, log files.
inline std::map<std::string, std::string> text_map(const Json& value, Path path = {}) {
  std::map<std::string, std::string> result;
  const Json& found = at(value, path);
  if (!found.is_object()) return result;
  for (auto member = found.begin(); member != found.end(); ++member) {
    if (!member->is_null()) result[member.key()] = text(*member);
  }
  return result;
}

inline Json object(const std::map<std::string, std::string>& members) {
  Json result = Json::object();
  for (const auto& [key, value] : members) result[key] = value;
  return result;
}

/// A number for a document. JSON has none for NaN and infinity: they become the text that MLflow's proto form uses.
inline Json number_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

}  // namespace json
}  // namespace cloud
