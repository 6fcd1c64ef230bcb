/// Time: milliseconds since 1970 in UTC, and the forms in which services write it.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "cloud/core/text.hpp"

namespace cloud {

/// Milliseconds since 1970-01-01 UTC; 0 stands for "not known".
using Milliseconds = std::int64_t;

inline Milliseconds now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

namespace detail {

inline Milliseconds civil_ms(int year, unsigned month, unsigned day, int hour, int minute, int second) {
  using namespace std::chrono;
  const sys_days date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return date.time_since_epoch().count() * 86'400'000LL + ((hour * 60 + minute) * 60 + second) * 1000LL;
}

// Reads exactly `count` digits at `at` and moves past them.
inline std::optional<int> digits(std::string_view text, std::size_t& at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i, ++at) {
    if (text[at] < '0' || text[at] > '9') return std::nullopt;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}

}  // namespace detail

/// RFC 3339 in UTC: 2024-05-01T12:00:00.250Z; without the fraction when it is zero.
inline std::string rfc3339(Milliseconds time) {
  using namespace std::chrono;
  const sys_days date = floor<days>(sys_time<milliseconds>(milliseconds(time)));
  const year_month_day civil(date);
  const Milliseconds of_day = time - date.time_since_epoch().count() * 86'400'000LL;
  char buffer[64];
  int length = std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(civil.year()),
                             static_cast<unsigned>(civil.month()), static_cast<unsigned>(civil.day()),
                             static_cast<int>(of_day / 3'600'000), static_cast<int>(of_day / 60'000 % 60),
                             static_cast<int>(of_day / 1000 % 60));
  std::string text(buffer, static_cast<std::size_t>(length));
  if (of_day % 1000 != 0) {
    length = std::snprintf(buffer, sizeof buffer, ".%03d", static_cast<int>(of_day % 1000));
    text.append(buffer, static_cast<std::size_t>(length));
  }
  return text + "Z";
}

/// Reads RFC 3339 with any number of fraction digits, `Z`, an offset, or no zone at all (taken as UTC, as Azure means
/// it).
inline std::optional<Milliseconds> parse_rfc3339(std::string_view text) {
  std::size_t at = 0;
  const auto expect = [&](std::string_view any) {
    if (at >= text.size() || any.find(text[at]) == std::string_view::npos) return false;
    ++at;
    return true;
  };
  const auto year = detail::digits(text, at, 4);
  if (!year || !expect("-")) return std::nullopt;
  const auto month = detail::digits(text, at, 2);
  if (!month || !expect("-")) return std::nullopt;
  const auto day = detail::digits(text, at, 2);
  if (!day || !expect("Tt ")) return std::nullopt;
  const auto hour = detail::digits(text, at, 2);
  if (!hour || !expect(":")) return std::nullopt;
  const auto minute = detail::digits(text, at, 2);
  if (!minute || !expect(":")) return std::nullopt;
  const auto second = detail::digits(text, at, 2);
  if (!second || *month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  Milliseconds time =
      detail::civil_ms(*year, static_cast<unsigned>(*month), static_cast<unsigned>(*day), *hour, *minute, *second);
  if (at < text.size() && text[at] == '.') {
    ++at;
    Milliseconds unit = 100;
    const std::size_t first = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) time += (text[at] - '0') * unit;
    if (at == first) return std::nullopt;
  }
  if (at == text.size() || ((text[at] == 'Z' || text[at] == 'z') && at + 1 == text.size())) return time;
  const bool west = text[at] == '-';
  if (!expect("+-")) return std::nullopt;
  const auto zone_hours = detail::digits(text, at, 2);
  if (!zone_hours) return std::nullopt;
  if (at < text.size() && text[at] == ':') ++at;
  const auto zone_minutes = detail::digits(text, at, 2);
  if (!zone_minutes || at != text.size()) return std::nullopt;
  const Milliseconds zone = (*zone_hours * 60LL + *zone_minutes) * 60'000LL;
  return west ? time + zone : time - zone;
}

/// Reads the date of an HTTP header: `Wed, 01 May 2024 12:00:00 GMT`.
inline std::optional<Milliseconds> parse_http_date(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  text = trim(text);
  const std::size_t comma = text.find(", ");
  if (comma == std::string_view::npos || text.size() != comma + 26 || text.substr(comma + 22) != " GMT")
    return std::nullopt;
  std::size_t at = comma + 2;
  const auto day = detail::digits(text, at, 2);
  const std::size_t month = kMonths.find(text.substr(comma + 5, 3));
  at = comma + 9;
  const auto year = detail::digits(text, at, 4);
  at = comma + 14;
  const auto hour = detail::digits(text, at, 2);
  at = comma + 17;
  const auto minute = detail::digits(text, at, 2);
  at = comma + 20;
  const auto second = detail::digits(text, at, 2);
  if (!day || month == std::string_view::npos || month % 3 != 0 || !year || !hour || !minute || !second || *day < 1) {
    return std::nullopt;
  }
  return detail::civil_ms(*year, static_cast<unsigned>(month / 3 + 1), static_cast<unsigned>(*day), *hour, *minute,
                          *second);
}

/// ISO 8601 duration of whole seconds, as Azure takes it: 3600 s are PT1H, 90 s PT1M30S, 0 s PT0S.
inline std::string iso8601_duration(std::chrono::seconds time) {
  const auto count = time.count() < 0 ? 0 : time.count();
  if (count == 0) return "PT0S";
  std::string text = "PT";
  if (count >= 3600) text += std::to_string(count / 3600) + "H";
  if (count / 60 % 60 != 0) text += std::to_string(count / 60 % 60) + "M";
  if (count % 60 != 0) text += std::to_string(count % 60) + "S";
  return text;
}

/// A span of time for people: 0.8 s, 12.3 s, 3 min 05 s, 2 h 07 min.
inline std::string duration_text(Milliseconds time) {
  char buffer[64];
  if (time < 0) time = 0;
  if (time < 60'000) {
    std::snprintf(buffer, sizeof buffer, "%.1f s", static_cast<double>(time) / 1000);
  } else if (time < 3'600'000) {
    std::snprintf(buffer, sizeof buffer, "%d min %02d s", static_cast<int>(time / 60'000),
                  static_cast<int>(time / 1000 % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld h %02d min", static_cast<long long>(time / 3'600'000),
                  static_cast<int>(time / 60'000 % 60));
  }
  return buffer;
}

}  // namespace cloud
